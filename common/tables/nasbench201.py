"""NAS-Bench-201: all 15,625 cells of a small image classifier, trained on three data sets.

Dong and Yang, NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search, ICLR 2020 (accuracies); Li et al.,
HW-NAS-Bench, ICLR 2021, and Dudziak et al., BRP-NAS, NeurIPS 2020 (latencies).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.encode import Encoder
from common.errors import UserError
from common.objective import Objective
from common.tables.cell import EDGES, NODES, OPS, Cell, expression, from_string, graph, lookups, space, to_string
from common.tables.columns import Lookup, check_columns, check_names, read, row_of_each
from common.tables.table import Table

__all__ = ["CLASSES", "FILE", "Cell", "expression", "from_string", "graph", "nasbench201", "params", "space", "to_string"]

FILE = "nasbench201.npz"
"""Name of the table's file."""
CLASSES = {"cifar10": 10, "cifar100": 100, "imagenet16-120": 120}
"""Data set -> its classes; images are 32x32, those of imagenet16-120 16x16."""

_WIDTH = 64  # channels before the classifier
_FIXED, _CONV_3X3, _CONV_1X1 = 73_306, 243_040, 28_000  # stem, residual blocks and head; one edge in all 15 cells
_ARRAYS = ("ops", "op_names", "acc", "acc_columns", "flops_m", "latency_ms", "latency_devices")


def params(cell: Cell, classes: int = 10) -> int:
    """Trainable parameters of the network with this cell: three stages of five cells, 16, 32 and 64 channels.

    In closed form: 73,306 + 243,040 per 3x3 and 28,000 per 1x1 convolution, and 65 for every class beyond ten.

    >>> params(Cell(("skip_connect",) * 6))
    73306
    """
    head = (_WIDTH + 1) * (classes - 10)
    return _FIXED + head + _CONV_3X3 * cell.edges.count("nor_conv_3x3") + _CONV_1X1 * cell.edges.count("nor_conv_1x1")


def nasbench201(folder: Path, dataset: str = "cifar10") -> Table:
    """The table on one data set; rows are the official indices.

    Searchers see `valid`, the validation accuracy after 12 epochs, in percent: what the authors let their searches use. What
    they find is judged by `test`, the mean test accuracy after 200 epochs. The file has no validation accuracy after 200 epochs:
    at the fidelity `200 epochs`, **`valid` reads the test accuracy**, so that a searcher with several fidelities that ends
    there has seen what it is judged by; compare such a one with others at that fidelity only.

    Costs: `params`; `flops` in millions of multiply-adds at the data set's image size (those of the file are for 32x32 and ten
    classes; all but the classifier's is proportional to the pixels); `latency_<device>` in ms on 27 devices, one set for all
    data sets, for the source does not say for which it was measured.

    Args:
        folder: Holds `nasbench201.npz`.
        dataset: One of `CLASSES`.

    Raises:
        UserError: An unknown data set; the file is missing or is not this table.
    """
    if dataset not in CLASSES:
        raise UserError(f"NAS-Bench-201 has no data set {dataset!r}: use {', '.join(CLASSES)}")
    file = folder / FILE
    arrays = read(file, _ARRAYS)
    check_names(str(file), "op", arrays["op_names"].tolist(), OPS)
    sizes = (len(OPS),) * len(EDGES)
    rows = row_of_each(str(file), arrays["ops"], sizes)
    count = len(rows)
    short, long = (_column(file, arrays, f"{dataset}-{name}") for name in ("val-12ep", "test-200ep"))
    devices = {f"latency_{name}": arrays["latency_ms"][:, i] for i, name in enumerate(arrays["latency_devices"])}
    costs = {"params": _params(arrays["ops"], dataset), "flops": _flops(arrays["flops_m"], dataset), **devices}
    scores = {"12 epochs": {"valid": short, "test": long}, "200 epochs": {"valid": long, "test": long}}
    check_columns(str(file), {"valid": short, "test": long, **costs}, count)
    known = lookups()
    return Table(
        name=f"nasbench201-{dataset}",
        title=f"NAS-Bench-201, {dataset}",
        space=space(),
        objective=Objective("valid", "max", "%"),
        result=Objective("test", "max", "%"),
        row=Lookup(Encoder(space()).paths, sizes, rows),
        scores=scores,
        epochs={"12 epochs": 12.0, "200 epochs": 200.0},
        costs=costs,
        features=known.features,
        graph=known.graph,
        operations=(*NODES, *OPS),
        canonical=known.canonical,
    )


def _column(file: Path, arrays: dict[str, NDArray[Any]], name: str) -> NDArray[np.float64]:
    columns = arrays["acc_columns"].tolist()
    if name not in columns:
        raise UserError(f"table {file}: no column {name!r} among {', '.join(columns)}: fetch the file anew")
    return arrays["acc"][:, columns.index(name)].astype(np.float64)


def _params(options: NDArray[np.integer], dataset: str) -> NDArray[np.int64]:
    return np.array([params(Cell(tuple(OPS[i] for i in row)), CLASSES[dataset]) for row in options.tolist()], dtype=np.int64)


def _flops(millions: NDArray[np.floating], dataset: str) -> NDArray[np.float64]:
    pixels = 0.25 if dataset == "imagenet16-120" else 1.0
    return (millions.astype(np.float64) - _WIDTH * 10 / 1e6) * pixels + _WIDTH * CLASSES[dataset] / 1e6
