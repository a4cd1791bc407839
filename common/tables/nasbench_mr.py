"""NAS-Bench-MR: 2,507 multi-resolution networks trained on eight tasks, a sample of a huge space.

Ding et al., Learning Versatile Neural Architectures by Propagating Network Codes, ICLR 2022, section 3.1 (the code) and 3.2 (the
tasks). Among others: semantic segmentation of Cityscapes, image classification on subsets of ImageNet, action recognition.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.encode import Encoder
from common.errors import UserError
from common.objective import Objective
from common.space import OneOf
from common.tables.columns import Lookup, check_columns, read
from common.tables.table import Table

FILE = "nasbench_mr.npz"
TASKS = {
    "seg": "mIoU",
    "seg_4x": "mIoU",
    "cls_10_1000": "top1",
    "cls_10c": "top1",
    "cls_50_100": "top1",
    "cls_50_1000": "top1",
    "video": "top1",
    "video_p": "top1",
}
"""Task -> the column that is searched for, in percent."""

_STEM, _STAGES, _LENGTH = 2, 4, 27


@dataclass(frozen=True)
class Stage:
    """A stage of parallel branches, each at half the resolution of the one before.

    Attributes:
        modules: How many fusion modules.
        convs: Convolutions of each branch in a module.
        channels: Width of each branch.
    """

    modules: int
    convs: tuple[int, ...]
    channels: tuple[int, ...]


@dataclass(frozen=True)
class Network:
    """A network, settled.

    Attributes:
        code: The numbers below as text, which files and reports call the network by.
        stem: Widths of the two stem convolutions.
        stages: Four stages, of one to four branches.
        last: Width of the head.
    """

    code: str
    stem: tuple[int, ...]
    stages: tuple[Stage, ...]
    last: int


def network(code: list[int]) -> Network:
    """The network of a row: `in1, in2 | b1, n, c | b2, n1, n2, c1, c2 | b3, ... | b4, ... | last`.

    Raises:
        UserError: Not 27 numbers, or one below 1.
    """
    if len(code) != _LENGTH or min(code) < 1:
        raise UserError(f"network code {code}: give {_LENGTH} numbers from 1: stem, four stages, head")
    parts, at, stages = [code[:_STEM]], _STEM, []
    for branches in range(1, _STAGES + 1):
        part = code[at : at + 1 + 2 * branches]
        stages.append(Stage(part[0], tuple(part[1 : 1 + branches]), tuple(part[1 + branches :])))
        parts.append(part)
        at += len(part)
    text = "|".join("-".join(map(str, part)) for part in [*parts, code[at:]])
    return Network(text, tuple(code[:_STEM]), tuple(stages), code[at])


def nasbench_mr(folder: Path, task: str = "seg") -> Table:
    """The table on one task; the space is one decision between the 2,507 networks.

    They are a sample: almost all architectures near a listed one are not listed, so there are no neighbourhoods, and a step of
    evolution is a random draw. **Only a predictor on `features` can beat random search here.** There is one score per network,
    so `valid` is both what is searched for and what the best is judged by, in percent; a query counts as one epoch, for the file
    does not tell them. Costs: `flops` and `params` in the source's own units, which look like G and M. Features: the code, every
    number scaled to 0..1 by its least and greatest value in the table, shape (27,); zero where it never changes.

    Args:
        folder: Holds `nasbench_mr.npz`.
        task: One of `TASKS`.

    Raises:
        UserError: An unknown task; the file is missing or is not this table; a network is listed twice.
    """
    if task not in TASKS:
        raise UserError(f"NAS-Bench-MR has no task {task!r}: use {', '.join(TASKS)}")
    file, names = folder / FILE, f"{task}__columns"
    arrays = read(file, ("code", task, names))
    codes = arrays["code"]
    columns = {name: _column(file, arrays[task], arrays[names].tolist(), name) for name in (TASKS[task], "flops", "params")}
    check_columns(str(file), columns, len(codes))
    _check_distinct(str(file), codes)
    opened = {"network": OneOf(*(network(code) for code in codes.tolist()))}
    paths, sizes = Encoder(opened).paths, (len(codes),)
    return Table(
        name=f"nasbench-mr-{task}",
        title=f"NAS-Bench-MR, {task}",
        space=opened,
        objective=Objective("valid", "max", "%"),
        result=Objective("valid", "max", "%"),
        row=Lookup(paths, sizes, range(len(codes))),
        scores={"full": {"valid": columns[TASKS[task]]}},
        epochs={"full": 1.0},
        costs={name: columns[name] for name in ("flops", "params")},
        features=Lookup(paths, sizes, _scaled(codes)),
    )


def _column(file: Path, values: NDArray[Any], names: list[str], name: str) -> NDArray[np.float64]:
    if name not in names:
        raise UserError(f"table {file}: no column {name!r} among {', '.join(names)}: fetch the file anew")
    return values[:, names.index(name)].astype(np.float64)


def _check_distinct(source: str, codes: NDArray[np.integer]) -> None:
    first: dict[tuple[int, ...], int] = {}
    for row, code in enumerate(codes.tolist()):
        if (earlier := first.setdefault(tuple(code), row)) != row:
            raise UserError(f"table {source}: rows {earlier} and {row} are the same architecture: keep one of them")


def _scaled(codes: NDArray[np.integer]) -> NDArray[np.float32]:
    low, high = codes.min(axis=0), codes.max(axis=0)
    scaled = ((codes - low) / np.maximum(high - low, 1)).astype(np.float32)
    scaled.flags.writeable = False
    return scaled
