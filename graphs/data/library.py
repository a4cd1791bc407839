"""Any of PyTorch Geometric's data sets for node classification, and classes written in their manner."""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from common.errors import UserError
from graphs.data.arrays import Arrays, GraphSet, one_graph
from graphs.data.check import check, check_shape, numbered
from graphs.data.masks import completed
from graphs.data.nodes import NodeData
from graphs.data.own import MASKS
from graphs.geometric import Data, InMemoryDataset

if TYPE_CHECKING:
    from common.data.digits import SplitName

SPLITS: tuple[SplitName, ...] = ("train", "val", "test")


def library(path: str, folder: str | Path | None = None) -> NodeData:
    """The data set that a class makes, for example `torch_geometric.datasets:PPI`.

    The class is imported and called, so name only one you trust. It is made with `root=folder` if it takes a root, and what
    it then downloads, processes and writes there is its own business; without arguments otherwise. A class that takes `name`
    as well (Amazon, Coauthor) gets it after a second colon: `torch_geometric.datasets:Amazon:Photo`.

    A class with an argument `split` that stands at "train" is made for each of train, val and test, and all nodes of a graph
    count. Else it must hold one graph, with `train_mask`, `val_mask` and `test_mask` (of several columns the first is used);
    `graphs.data.masks.completed` makes those that are missing. Labels count only inside the masks. Features are taken as they
    are. Other attributes of a graph are not used, which a note says.

    Args:
        path: `package.module:Class` or `package.module:Class:NAME`.
        folder: where the class keeps its files.

    Raises:
        UserError: the class is not there, is no such data set, needs other arguments, or fails; or its graphs are unusable.
    """
    made, arguments = _class(path, folder)
    if _splits_itself(made):
        found = {split: _graphs(path, made, {**arguments, "split": split}) for split in SPLITS}
        notes = [f"{path}: its own split into graphs"]
        every = [graph for members in found.values() for graph in members]
        classes, labels, more = numbered([(_labels(graph), np.ones(len(graph["x"]), dtype=bool)) for graph in every], path)
        left = iter(labels)
        splits = {split: tuple(_arrays(graph, next(left), path) for graph in members) for split, members in found.items()}
    else:
        every = _graphs(path, made, arguments)
        if len(every) != 1:
            raise UserError(
                f"{path} holds {len(every)} graphs and takes no split='train', 'val' and 'test': such data sets must hold one "
                "graph with masks; name another, or write a class that takes split"
            )
        y = _labels(every[0])
        check_shape(y, len(every[0]["x"]), path, y.shape[1] if y.ndim == 2 else None)
        given, notes = _masks(every[0], path)
        masks, said = completed(given, y, path)
        notes = notes or said  # of masks of several columns, that the first is used says it all
        classes, (y,), more = numbered([(y, np.any(masks, axis=0))], path)
        whole = _arrays(every[0], y, path)
        splits = {split: (graph,) for split, graph in zip(SPLITS, one_graph(whole.x, whole.edge_index, y, masks), strict=True)}
    found = GraphSet(
        name=path.rpartition(":")[2],
        classes=classes,
        train=splits["train"],
        val=splits["val"],
        test=splits["test"],
        multilabel=every[0]["y"].ndim == 2,
        notes=(*notes, *more, *_unused(every, path)),
    )
    return NodeData.of(check(found))


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
    """The graph with labels of one column, if they have one, as a row."""
    if graph["y"].ndim == 2 and graph["y"].shape[1] == 1:
        graph = graph.clone()
        graph["y"] = graph["y"].squeeze(1)
    return graph


def _labels(graph: Data) -> NDArray[Any]:
    """Class numbers, int64; or 0 and 1, float32, with a column per class."""
    y: torch.Tensor = graph["y"]
    return (y.float() if y.ndim == 2 else y if y.is_floating_point() else y.long()).numpy()


def _arrays(graph: Data, y: NDArray[Any], path: str) -> Arrays:
    """The graph with the types that networks take where nothing is lost; all of its nodes count."""
    for key in ("x", "edge_index"):
        if graph[key].layout != torch.strided:
            raise UserError(f"{path}: {key} is sparse ({graph[key].layout}): must be dense; convert it with .to_dense()")
    x = graph["x"].float() if graph["x"].is_floating_point() else graph["x"]
    return Arrays(x=x.numpy(), edge_index=graph["edge_index"].numpy(), y=y, mask=np.ones(len(x), dtype=bool))


def _masks(graph: Data, path: str) -> tuple[dict[str, NDArray[np.bool_]], list[str]]:
    """The masks that the graph has, by name, and what a reader must know of them."""
    there = {key: graph[key] for key in MASKS if key in graph}
    notes = [f"{path}: {mask.shape[1]} splits; the first is used" for mask in list(there.values())[:1] if mask.ndim == 2]
    return {key: (mask[:, 0] if mask.ndim == 2 else mask).numpy() for key, mask in there.items()}, notes


def _unused(graphs: list[Data], path: str) -> list[str]:
    """A note of what graphs hold besides features, edges, labels and masks."""
    held = sorted({key for graph in graphs for key in graph.keys()})  # noqa: SIM118 - a graph is no mapping
    unused = [key for key in held if key not in ("x", "edge_index", "y", "num_nodes", *MASKS)]
    return [f"{path}: {', '.join(unused)} {'is' if len(unused) == 1 else 'are'} not used"] if unused else []
