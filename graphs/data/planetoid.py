"""Cora, CiteSeer, PubMed and what else comes as Planetoid's raw files (Z. Yang et al., 2016, https://arxiv.org/abs/1603.08861)."""

from __future__ import annotations

import warnings
from pathlib import Path

from common.errors import UserError
from graphs.data.check import check, check_graph
from graphs.data.nodes import NodeData, one_graph
from graphs.data.raw import FILES, ORIGIN, check_raw
from graphs.geometric import Data, NormalizeFeatures, read_planetoid_data


def planetoid(folder: str | Path, name: str) -> NodeData:
    """A citation network with its public split: 20 training nodes a class, 500 for validation, 1,000 for the test.

    Nothing is written. The raw files are pickles; only those that hold nothing but arrays, matrices and lists are opened.
    Features are divided by their sum in every node, as is usual with bags of words.

    Args:
        folder: with the files, or with `raw/`, `NAME/` or `NAME/raw/` that has them.
        name: of the data set, in any case.

    Raises:
        UserError: the data set is not there, a file is missing, damaged or does not fit the others, or the graph is unusable.
    """
    root = Path(folder).expanduser()
    raw = _raw_folder(root, name)
    classes = check_raw(raw, name)
    with warnings.catch_warnings():
        # the names that scipy's classes had when the files were written; torch_geometric sets a filter of its own as well
        warnings.filterwarnings("ignore", "Please import `csr_matrix`", DeprecationWarning)
        read = read_planetoid_data(str(raw), name)
    # checked before features are divided, which would spread one that is not finite
    graph, notes = check_graph(Data(x=read["x"], edge_index=read["edge_index"], y=read["y"]), name, classes)
    graph = NormalizeFeatures()(graph)
    train, val, test = one_graph(
        graph["x"], graph["edge_index"], graph["y"], (read["train_mask"], read["val_mask"], read["test_mask"])
    )
    return check(
        NodeData(
            name=name,
            classes=tuple(str(label) for label in range(classes)),
            train=(train,),
            val=(val,),
            test=(test,),
            multilabel=False,
            notes=(f"{name}: Planetoid's public split; features are divided by their sum in every node", *notes),
        )
    )


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
