"""Cora, CiteSeer, PubMed and what else comes as Planetoid's raw files (Z. Yang et al., 2016, https://arxiv.org/abs/1603.08861).

No torch here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.errors import UserError
from graphs.data.arrays import GraphSet, one_graph, row_major
from graphs.data.check import check, numbered
from graphs.data.masks import mask_of
from graphs.data.raw import FILES, ORIGIN, VALIDATION, check_raw, read_raw


def planetoid(folder: str | Path, name: str) -> GraphSet:
    """A citation network with its public split: 20 training nodes a class, 500 for validation, 1,000 for the test.

    Nothing is written. The raw files are pickles; only those that hold nothing but arrays, matrices and lists are opened.
    Features are as they are in the files.

    Args:
        folder: with the files, or with `raw/`, `NAME/` or `NAME/raw/` that has them.
        name: of the data set, in any case.

    Raises:
        UserError: the data set is not there, a file is missing, damaged or does not fit the others, or the graph is unusable.
    """
    root = Path(folder).expanduser()
    raw = _raw_folder(root, name)
    count = check_raw(raw, name)
    parts = read_raw(raw, name)
    x, labels, nodes = _assembled(parts, "allx", "tx"), _assembled(parts, "ally", "ty").argmax(axis=1), len(parts["graph"])
    first = parts["y"].shape[0]
    masks = (
        mask_of(np.arange(first), nodes),
        mask_of(np.arange(first, first + VALIDATION), nodes),
        mask_of(parts["test.index"], nodes),
    )
    classes, (y,), notes = numbered([(labels, np.any(masks, axis=0))], name, [str(label) for label in range(count)])
    train, val, test = one_graph(x, _edges(parts["graph"], nodes), y, masks)
    return check(
        GraphSet(
            name=name,
            classes=classes,
            train=(train,),
            val=(val,),
            test=(test,),
            multilabel=False,
            notes=(f"{name}: Planetoid's public split", *notes),
        )
    )


def _assembled(parts: dict[str, Any], known: str, test: str) -> NDArray[np.float32]:
    """Rows of all nodes: row i of `test` is that of the i-th node listed; nodes that are nowhere (CiteSeer) have zeros."""
    first, second = (_dense(parts[key]) for key in (known, test))
    rows = np.zeros((len(parts["graph"]), first.shape[1]), dtype=np.float32)
    rows[: len(first)] = first
    rows[parts["test.index"]] = second
    return rows


def _dense(matrix: Any) -> NDArray[np.float32]:
    return np.asarray(matrix if isinstance(matrix, np.ndarray) else matrix.toarray(), dtype=np.float32)


def _edges(neighbours: dict[int, list[int]], nodes: int) -> NDArray[np.int64]:
    """Every edge once; the files list some of them twice, and nodes as their own neighbours."""
    first = np.repeat(np.fromiter(neighbours, dtype=np.int64), [len(others) for others in neighbours.values()])
    second = np.array([other for others in neighbours.values() for other in others], dtype=np.int64)
    edges = np.stack([first, second])
    return row_major(edges[:, edges[0] != edges[1]], nodes)


def found_in(folder: Path) -> list[str]:
    """The names of the Planetoid data sets in a folder, those that lack files marked so.

    Raises:
        UserError: `folder` is no folder.
    """
    names = {}
    for raw in _places(folder):
        for file in sorted(raw.glob("ind.*")):
            name = file.name.removeprefix("ind.").removesuffix(".test.index").lower()
            name = name if file.name.endswith(".test.index") else name.rpartition(".")[0]
            whole = all((raw / f"ind.{name}.{part}").is_file() for part in FILES)
            above = [place.name for place in (raw, raw.parent) if place.name.lower() == name]
            names[name] = (above[0] if above else name) + ("" if whole else " (files missing)")
    return sorted(names.values())


def _places(folder: Path) -> list[Path]:
    """Every folder that may hold raw files: those inside, with their `raw/`, and the folder itself."""
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder: give one that holds Planetoid's raw files ({ORIGIN}, data/)")
    inside = sorted(path for path in folder.iterdir() if path.is_dir())
    places = [place for path in inside for place in (path / "raw", path)] + [folder]
    return [place for place in places if place.is_dir()]


def _raw_folder(folder: Path, name: str) -> Path:
    """Where the data set's files are."""
    counts = {place: sum((place / f"ind.{name.lower()}.{part}").is_file() for part in FILES) for place in _places(folder)}
    if any(counts.values()):
        return max(counts, key=lambda place: counts[place])
    names = found_in(folder)
    there = f"it has {', '.join(names)}" if names else "it has no Planetoid data set"
    raise UserError(
        f"{folder}: no file ind.{name.lower()}.* in it, in raw/, in {name}/ or in {name}/raw/; {there}: correct the name, or get "
        f"the files from {ORIGIN} (data/)"
    )
