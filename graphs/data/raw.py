"""The raw files of Planetoid: are they all there, whole, free of code and of one download?

Seven of the eight files are pickles, as the authors distribute them. They are opened so that only arrays, sparse
matrices and plain containers are rebuilt (`common.data.pickles`), so that a file cannot run code.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn, cast

import numpy as np
from scipy.sparse import csr_matrix

from common.data.pickles import DamagedPickle, ForbiddenPickle, read_pickle
from common.errors import UserError, shown

FILES = ("x", "tx", "allx", "y", "ty", "ally", "graph", "test.index")
ORIGIN = "https://github.com/kimiyoung/planetoid"
VALIDATION = 500
"""Nodes right after those of training that the public split validates on."""


def check_raw(folder: Path, name: str) -> int:
    """Refuse files that cannot be a Planetoid data set; nothing is written.

    Args:
        folder: with the files `ind.<name>.<part>`.
        name: of the data set, in any case.

    Returns:
        The number of classes.

    Raises:
        UserError: a file is missing, cut off, damaged, holds anything but data, or does not fit the others.
    """
    files = {part: folder / f"ind.{name.lower()}.{part}" for part in FILES}
    missing = [file.name for file in files.values() if not file.is_file()]
    if missing:
        raise UserError(f"{folder}: {', '.join(missing)} missing: all eight files are needed; get them from {ORIGIN} (data/)")
    shapes = {part: _table(files[part]) for part in FILES[:6]}
    for rows, labels in (("x", "y"), ("tx", "ty"), ("allx", "ally")):
        if shapes[rows][0] != shapes[labels][0]:
            _unfit(files[labels], f"has {shapes[labels][0]} rows, yet {files[rows].name} has {shapes[rows][0]}")
    for whole, part in (("allx", "x"), ("allx", "tx"), ("ally", "y"), ("ally", "ty")):
        if shapes[whole][1] != shapes[part][1]:
            _unfit(files[part], f"has {shapes[part][1]} columns, yet {files[whole].name} has {shapes[whole][1]}")
    first = shapes["allx"][0]
    if first < shapes["x"][0] + VALIDATION:
        _unfit(
            files["allx"],
            f"has {first} rows, yet the public split takes {shapes['x'][0]} training and {VALIDATION} validation nodes from it",
        )
    index = _index(files["test.index"])
    if len(index) != shapes["tx"][0]:
        _unfit(files["test.index"], f"has {len(index)} nodes, yet {files['tx'].name} has {shapes['tx'][0]} rows")
    # only CiteSeer has test nodes without any entry, which torch_geometric fills with zeros
    last = int(index.max()) if name.lower() == "citeseer" else first + len(index) - 1
    if len(np.unique(index)) != len(index) or index.min() != first or index.max() != last:
        _unfit(
            files["test.index"], f"must name each of the nodes {first} to {last} once, as {files['allx'].name} has {first} rows"
        )
    _check_neighbours(files["graph"], last + 1)
    return shapes["y"][1]


def read_raw(folder: Path, name: str) -> dict[str, Any]:
    """What the files hold, by part; call `check_raw` first."""
    files = {part: folder / f"ind.{name.lower()}.{part}" for part in FILES}
    return {part: _index(file) if part == "test.index" else _unpickled(file) for part, file in files.items()}


def _unfit(file: Path, why: str) -> NoReturn:
    raise UserError(f"{file} {why}: the files are cut off or of different downloads; get them all again from {ORIGIN} (data/)")


def _damaged(file: Path, why: str, error: BaseException | None = None) -> NoReturn:
    raise UserError(f"{file} is cut off or damaged ({why}): get it again from {ORIGIN} (data/)") from error


def _table(file: Path) -> tuple[int, int]:
    """The shape of a matrix of numbers, dense or sparse."""
    found = _unpickled(file)
    if isinstance(found, csr_matrix):
        try:
            found.check_format(full_check=True)  # numbers that point outside the matrix would crash its conversion
        # A half-built matrix lacks attributes or has others, and scipy promises no list of errors.
        except Exception as error:
            _damaged(file, f"{type(error).__name__} in its sparse matrix", error)
    elif not isinstance(found, np.ndarray) or found.ndim != 2:
        _damaged(file, f"a {type(found).__name__}, not a matrix")
    rows, columns = cast("tuple[int, int]", found.shape)
    if not rows or not columns:
        _damaged(file, f"a matrix of shape {found.shape}")
    return int(rows), int(columns)


def _index(file: Path) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The test nodes, one a line, every line ended."""
    text = file.read_bytes()
    if not re.fullmatch(rb"(\d{1,9}\n)+", text):
        _damaged(file, "must be one node number a line, each line ended")
    return np.array(text.split(), dtype=np.int64)


def _check_neighbours(file: Path, nodes: int) -> None:
    """A dict from every node to a list of nodes."""
    found = _unpickled(file)
    if not isinstance(found, dict):
        _damaged(file, f"a {type(found).__name__}, not a dict")
    for node, neighbours in found.items():
        if type(node) is not int or not isinstance(neighbours, list) or any(type(other) is not int for other in neighbours):
            _damaged(file, f"entry {shown(node)} is no node with a list of nodes")
        for other in (node, *neighbours):
            if not 0 <= other < nodes:
                _unfit(
                    file,
                    f"names node {shown(other)} in the entry of node {shown(node)}; nodes are 0 to {nodes - 1} in the others",
                )
    if len(found) != nodes:
        _unfit(file, f"has {len(found)} nodes, yet the other files have {nodes}")


def _unpickled(file: Path) -> object:
    try:
        return read_pickle(file, "latin1", _ALLOWED)
    except ForbiddenPickle as error:
        raise UserError(
            f"{file} wants to load {error}: Planetoid's files hold arrays, matrices and lists only; do not trust it"
        ) from error
    except DamagedPickle as error:
        _damaged(file, str(error), error)


class _Matrix(csr_matrix):
    """A sparse matrix that is made from its parts alone: of a shape, it would take memory for every row."""

    def __init__(self, *_: object) -> None:
        raise ForbiddenPickle("a matrix without its numbers")


_ALLOWED: Mapping[tuple[str, str], Any] = {
    ("collections", "defaultdict"): defaultdict,
    **{(module, "csr_matrix"): _Matrix for module in ("scipy.sparse.csr", "scipy.sparse._csr")},
    **{(module, "list"): list for module in ("__builtin__", "builtins")},
}
