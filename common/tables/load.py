"""Tables by the name that a person types."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from common.errors import UserError
from common.tables.generated import generated
from common.tables.nasbench201 import CLASSES, nasbench201
from common.tables.nasbench_graph import DATASETS, nasbench_graph
from common.tables.nasbench_mr import TASKS, nasbench_mr
from common.tables.table import Table


def _of_family(loader: Callable[[Path, str], Table], folder: str, dataset: str) -> Callable[[Path], Table]:
    return lambda data: loader(data / "nasbench" / folder, dataset)


TABLES: dict[str, Callable[[Path], Table]] = {
    "generated": lambda _: generated(),
    **{f"nasbench201-{name}": _of_family(nasbench201, "nasbench201", name) for name in CLASSES},
    **{f"nasbench-graph-{name}": _of_family(nasbench_graph, "nasbench_graph", name) for name in DATASETS},
    **{f"nasbench-mr-{name}": _of_family(nasbench_mr, "nasbench_mr", name) for name in TASKS},
}
"""Name -> how its table is loaded from the folder of real data; `generated` needs none."""


def data_folder() -> Path:
    """Where real data lie: `TASKNAS_DATA`, by default `../shared/data` beside the repository."""
    return Path(os.environ.get("TASKNAS_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")


def load(name: str, data: Path) -> Table:
    """The table of this name.

    Args:
        name: One of `TABLES`.
        data: Holds the folder `nasbench`; see `data_folder`.

    Raises:
        UserError: There is no such table, or its file is missing or damaged.
    """
    if name not in TABLES:
        raise UserError(f"there is no table {name!r}: use {', '.join(TABLES)}")
    return TABLES[name](data)
