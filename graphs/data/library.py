"""Any of PyTorch Geometric's data sets for node classification, and classes written in their manner."""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from common.errors import UserError
from common.streams import numpy_stream
from graphs.data.check import check
from graphs.data.masks import alternate, cut_classes
from graphs.data.nodes import NodeData, one_graph
from graphs.geometric import Data, InMemoryDataset

if TYPE_CHECKING:
    from torch import Tensor

    from common.data.digits import SplitName
    from graphs.data.masks import Masks

SPLITS: tuple[SplitName, ...] = ("train", "val", "test")
_MASKS = tuple(f"{split}_mask" for split in SPLITS)


def library(path: str, folder: str | Path | None = None) -> NodeData:
    """The data set that a class makes, for example `torch_geometric.datasets:PPI`.

    The class is imported and called, so name only one you trust. It is made with `root=folder` if it takes a root, and what
    it then downloads, processes and writes there is its own business; without arguments otherwise. A class that takes `name`
    as well (Amazon, Coauthor) gets it after a second colon: `torch_geometric.datasets:Amazon:Photo`.

    A class with an argument `split` that stands at "train" is made for each of train, val and test, and all nodes of a graph
    count. Else it must hold one graph: with `train_mask`, `val_mask` and `test_mask` (of several columns the first is used);
    with `train_mask` alone, and the other nodes go to val and test in turn; or with none, and every class gives 20 nodes to
    train, 30 to val and the rest to test, the same in every run. Features are taken as they are.

    Args:
        path: `package.module:Class` or `package.module:Class:NAME`.
        folder: where the class keeps its files.

    Raises:
        UserError: the class is not there, is no such data set, needs other arguments, or fails; or its graphs are unusable.
    """
    made, arguments = _class(path, folder)
    if _splits_itself(made):
        graphs = {split: _graphs(path, made, {**arguments, "split": split}) for split in SPLITS}
        found = [graph for members in graphs.values() for graph in members]
        notes = [f"{path}: its own split into graphs"]
    else:
        found = _graphs(path, made, arguments)
        if len(found) != 1:
            raise UserError(
                f"{path} holds {len(found)} graphs and takes no split='train', 'val' and 'test': such data sets must hold one "
                "graph with masks; name another, or write a class that takes split"
            )
        masks, notes = _masks(found[0], path)
        train, val, test = one_graph(found[0]["x"], found[0]["edge_index"], found[0]["y"], masks)
        graphs = {"train": [train], "val": [val], "test": [test]}
    if any(graph.edge_attr is not None for graph in found):
        notes.append(f"{path}: edge_attr is not used")
    multilabel = found[0]["y"].ndim == 2
    classes = found[0]["y"].shape[1] if multilabel else 1 + max(int(graph["y"].max()) for graph in found)
    return check(
        NodeData(
            name=path.rpartition(":")[2],
            classes=tuple(str(label) for label in range(classes)),
            train=tuple(graphs["train"]),
            val=tuple(graphs["val"]),
            test=tuple(graphs["test"]),
            multilabel=multilabel,
            notes=tuple(notes),
        )
    )


def _class(path: str, folder: str | Path | None) -> tuple[Any, dict[str, str]]:
    """The class that `path` names, and its arguments but `split`."""
    module, colon, rest = path.partition(":")
    name, second, variant = rest.partition(":")
    if not (module and colon and name) or (second and not variant):
        raise UserError(f"{path!r} must be package.module:Class or package.module:Class:NAME: correct it")
    try:
        made = getattr(import_module(module), name, None)
    except ImportError as error:
        raise UserError(f"{path}: {error}: install the package, or correct the path") from error
    if not (isinstance(made, type) and issubclass(made, InMemoryDataset)):
        raise UserError(f"{path}: {module} has no class {name} made from torch_geometric's InMemoryDataset: correct the path")
    takes = inspect.signature(made).parameters
    needed = [key for key, value in takes.items() if value.default is value.empty and value.kind is value.POSITIONAL_OR_KEYWORD]
    others = [key for key in needed if key not in ("root", "name", "split")]
    if others:
        raise UserError(f"{path} needs {', '.join(others)}, which cannot be given here: write a class that sets it")
    if "root" in needed and folder is None:
        raise UserError(f"{path} needs a folder for its files: give one")
    if folder is not None and "root" not in takes:
        raise UserError(f"{path} takes no folder (yet {folder} was given): leave it out")
    if "name" in needed and not variant:
        raise UserError(f"{path} has several data sets: name one after a second colon, {path}:NAME")
    if variant and "name" not in takes:
        raise UserError(f"{path}: {name} takes no name: leave out ':{variant}'")
    return made, {**({} if folder is None else {"root": str(folder)}), **({"name": variant} if variant else {})}


def _splits_itself(made: Any) -> bool:
    """Whether a class takes split="train"; Planetoid's `split`, say, stands at "public" and means something else."""
    split = inspect.signature(made).parameters.get("split")
    return split is not None and split.default in ("train", split.empty)


def _graphs(path: str, made: Any, arguments: dict[str, str]) -> list[Data]:
    """The graphs of one made data set, with the types that networks take where nothing is lost."""
    try:
        found = list(made(**arguments))
    # The class is foreign code, and it may download: anything can go wrong, and the user can only be told what.
    except Exception as error:
        said = " ".join(str(error).split()) or "no message"
        raise UserError(
            f"{path}({', '.join(arguments)}) fails with {type(error).__name__}: {said}: fix its files or the class"
        ) from error
    if not found:
        raise UserError(f"{path}({', '.join(arguments)}) holds no graph: name another data set")
    for position, graph in enumerate(found):
        if not isinstance(graph, Data):
            raise UserError(
                f"{path}: graph {position} is a {type(graph).__name__}: only graphs with one kind of node can be used"
            )
        for key in ("x", "edge_index", "y"):
            value = getattr(graph, key, None)
            if not isinstance(value, torch.Tensor) or (key != "edge_index" and not value.numel()):
                raise UserError(f"{path}: graph {position} has no {key}: features x, edge_index and labels y are needed")
    return [_typed(graph) for graph in found]


def _typed(graph: Data) -> Data:
    x: Tensor = graph["x"].float() if graph["x"].is_floating_point() else graph["x"]
    y: Tensor = graph["y"].squeeze(1) if graph["y"].ndim == 2 and graph["y"].shape[1] == 1 else graph["y"]
    y = y.float() if y.ndim == 2 else y if y.is_floating_point() else y.long()
    mask = torch.ones(len(x), dtype=torch.bool)
    typed = Data(x=x, edge_index=graph.edge_index, edge_attr=graph.edge_attr, y=y, mask=mask)
    for key in _MASKS:
        if key in graph:
            typed[key] = graph[key]
    return typed


def _masks(graph: Data, path: str) -> tuple[Masks, list[str]]:
    """The nodes of every split of a single graph, and what a reader must know of them."""
    there = [key for key in _MASKS if key in graph]
    masks = [graph[key] for key in there]
    notes = [f"{path}: {masks[0].shape[1]} splits; the first is used"] if masks and masks[0].ndim == 2 else []
    masks = [mask[:, 0] if mask.ndim == 2 else mask for mask in masks]
    if len(masks) == 3:
        return (masks[0], masks[1], masks[2]), notes or [f"{path}: its own split"]
    if there == ["train_mask"]:
        return alternate(masks[0].bool()), [*notes, f"{path}: its own training nodes; the others go to val and test in turn"]
    if there:
        absent = [key for key in _MASKS if key not in there]
        raise UserError(f"{path}: its graph has {', '.join(there)}, yet no {', '.join(absent)}: add what is missing")
    if graph["y"].ndim != 1 or graph["y"].is_floating_point() or len(graph["y"]) != len(graph["x"]) or int(graph["y"].min()) < 0:
        raise UserError(
            f"{path}: its graph has no masks, and only nodes with one label each, 0 or above, can be split by class: add masks"
        )
    note = f"{path}: it has no split; every class gives 20 nodes to train, 30 to val (fewer if it is small), the rest to test"
    return cut_classes(graph["y"].numpy(), numpy_stream(0, "library", "split")), [note]
