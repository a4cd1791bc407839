"""What every data set goes through, whatever its source: refused, mended and noted, or noted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from common.errors import UserError
from graphs.data.nodes import NodeData, one_graph
from graphs.geometric import Data, coalesce, contains_self_loops, is_undirected, remove_self_loops

if TYPE_CHECKING:
    from torch import Tensor


def check(data: NodeData) -> NodeData:
    """The data set with self loops and duplicate edges taken out, and notes of what a reader must know.

    Raises:
        UserError: a graph is unusable (see `check_graph`), or the splits are: one is empty, a node is in train and in another
            split, or a class has no training node.
    """
    notes = list(data.notes)
    if data.transductive:
        graph, found = check_graph(data.train[0], data.name, len(data.classes), multilabel=data.multilabel)
        notes.extend(found)
        masks = [_mask(graphs[0], f"{data.name}, {split}") for split, graphs in data.splits.items()]
        notes.extend(_overlaps(masks, data.name))
        splits = [(member,) for member in one_graph(graph["x"], graph["edge_index"], graph["y"], masks)]
    else:
        splits = []
        for split, graphs in data.splits.items():
            if not graphs:
                raise UserError(f"{data.name}: {split} has no graph: every split needs at least one; add some")
            splits.append(_graphs(graphs, f"{data.name}, {split}", data, notes))
    train, val, test = splits
    checked = replace(data, train=train, val=val, test=test)
    _check_widths(checked)
    for split, graphs in checked.splits.items():
        if not any(bool(graph["mask"].any()) for graph in graphs):
            raise UserError(f"{data.name}: {split} has no node: every split needs at least one; correct its mask")
    notes.extend(_absent(checked))
    return replace(checked, notes=tuple(dict.fromkeys(notes)))


def check_graph(graph: Data, name: str, classes: int, *, multilabel: bool = False) -> tuple[Data, tuple[str, ...]]:
    """The graph without self loops and duplicate edges, its edges in row-major order, and notes about it.

    Args:
        graph: x, edge_index and y; `mask`, if it has one.
        name: what messages call it.
        classes: labels are 0 to classes - 1.
        multilabel: y is float of 0 and 1, shape (n, classes).

    Raises:
        UserError: a tensor is missing or has another shape or type, an edge joins a node that is not there, a feature is not
            finite, or a label is outside the classes.
    """
    x = _tensor(graph, "x", torch.float32, name)
    if x.ndim != 2 or not len(x) or not x.shape[1]:
        raise UserError(f"{name}: x has shape {_shape(x)}: must be (nodes, features), at least one of each; correct x")
    edge_index = _tensor(graph, "edge_index", torch.int64, name)
    if edge_index.ndim != 2 or len(edge_index) != 2:
        raise UserError(
            f"{name}: edge_index has shape {_shape(edge_index)}: must be (2, edges), a column per edge; transpose or correct it"
        )
    nodes = len(x)
    outside = ((edge_index < 0) | (edge_index >= nodes)).any(dim=0).nonzero()
    if len(outside):
        at = int(outside[0])
        raise UserError(
            f"{name}: edge {at} (column {at} of edge_index) joins nodes {int(edge_index[0, at])} and {int(edge_index[1, at])}, "
            f"yet x has {nodes} nodes (0 to {nodes - 1}): correct edge_index, or add the node's features"
        )
    wrong = (~torch.isfinite(x)).nonzero()
    if len(wrong):
        node, feature = (int(value) for value in wrong[0])
        raise UserError(
            f"{name}: feature {feature} of node {node} is {float(x[node, feature])}: features must be finite; replace it "
            f"({len(wrong)} such values)"
        )
    y = _tensor(graph, "y", torch.float32 if multilabel else torch.int64, name)
    _check_labels(y, name, nodes, classes, multilabel)
    edge_index, notes = _mended(edge_index, nodes, name)
    if not is_undirected(edge_index, num_nodes=nodes):
        notes.append(f"{name}: the graph is directed: messages go from the first to the second node of an edge only")
    isolated = nodes - len(edge_index.unique())
    if isolated:
        notes.append(f"{name}: {isolated} of {nodes} nodes have no edge: only their own features say what they are")
    checked = Data(x=x, edge_index=edge_index, y=y)
    if "mask" in graph:
        checked.mask = _mask(graph, name)
    return checked, tuple(notes)


def _tensor(graph: Data, key: str, dtype: torch.dtype, name: str) -> Tensor:
    value = getattr(graph, key, None)
    if not isinstance(value, torch.Tensor):
        raise UserError(f"{name}: {key} is {'missing' if value is None else type(value).__name__}: must be a tensor; add it")
    if value.layout != torch.strided:
        raise UserError(f"{name}: {key} is sparse ({value.layout}): must be dense; convert it with .to_dense()")
    if value.dtype != dtype:
        raise UserError(f"{name}: {key} is {value.dtype}: must be {dtype}; convert it")
    return value


def _shape(value: Tensor) -> str:
    return str(tuple(value.shape))


def _check_labels(y: Tensor, name: str, nodes: int, classes: int, multilabel: bool) -> None:
    wanted = (nodes, classes) if multilabel else (nodes,)
    if tuple(y.shape) != wanted:
        raise UserError(
            f"{name}: y has shape {_shape(y)}: must be {wanted}, "
            f"{'a column per class' if multilabel else 'a label per node (this is no classification of whole graphs)'}; correct y"
        )
    wrong = ((y != 0) & (y != 1)).nonzero() if multilabel else ((y < 0) | (y >= classes)).nonzero()
    if len(wrong) and multilabel:
        node, label = (int(value) for value in wrong[0])
        raise UserError(f"{name}: class {label} of node {node} is {float(y[node, label])}: must be 0 or 1; correct y")
    if len(wrong):
        node = int(wrong[0])
        raise UserError(
            f"{name}: node {node} has label {int(y[node])}, yet there are {classes} classes "
            f"(labels 0 to {classes - 1}): correct y"
        )


def _mended(edge_index: Tensor, nodes: int, name: str) -> tuple[Tensor, list[str]]:
    """The edges without self loops and duplicates, and notes of both."""
    notes = []
    if contains_self_loops(edge_index):
        before = edge_index.shape[1]
        edge_index = remove_self_loops(edge_index)[0]
        notes.append(f"{name}: {before - edge_index.shape[1]} self loops were removed (models add their own)")
    before = edge_index.shape[1]
    edge_index = coalesce(edge_index, num_nodes=nodes)
    if edge_index.shape[1] < before:
        notes.append(f"{name}: {before - edge_index.shape[1]} of {before} entries of edge_index repeat another and were removed")
    return edge_index, notes


def _mask(graph: Data, name: str) -> Tensor:
    mask = _tensor(graph, "mask", torch.bool, name)
    if mask.shape != (len(graph["x"]),):
        raise UserError(f"{name}: mask has shape {_shape(mask)}: must be ({len(graph['x'])},), one value per node; correct it")
    return mask


def _graphs(graphs: tuple[Data, ...], name: str, data: NodeData, notes: list[str]) -> tuple[Data, ...]:
    """The graphs of one split, checked; of what they have in common, one note is enough."""
    checked = []
    noted: list[tuple[str, ...]] = []
    for position, graph in enumerate(graphs):
        own = f"{name}, graph {position}"
        member, found = check_graph(graph, own, len(data.classes), multilabel=data.multilabel)
        member["mask"] = _mask(graph, own)
        checked.append(member)
        if found:
            noted.append(found)
    if noted:
        more = f" ({len(noted) - 1} more graphs of this split have such notes)" if len(noted) > 1 else ""
        notes.extend(note + more for note in noted[0])
    return tuple(checked)


def _overlaps(masks: list[Tensor], name: str) -> list[str]:
    train, val, test = masks
    for other, split in ((val, "val"), (test, "test")):
        both = (train & other).nonzero()
        if len(both):
            raise UserError(
                f"{name}: {len(both)} nodes are in train and in {split}, the first is node {int(both[0])}: figures on nodes that "
                "were learnt mean nothing; correct the masks"
            )
    both = int((val & test).sum())
    return [f"{name}: {both} nodes are in val and in test: figures on them are too good"] if both else []


def _check_widths(data: NodeData) -> None:
    for split, graphs in data.splits.items():
        for position, graph in enumerate(graphs):
            if graph["x"].shape[1] != data.features:
                raise UserError(
                    f"{data.name}: graph {position} of {split} has {graph['x'].shape[1]} features, the first of train has "
                    f"{data.features}: all graphs must have the same; correct x"
                )


def _absent(data: NodeData) -> list[str]:
    """Notes of classes that no training node has, for multilabel data; with one label per node they are refused."""
    y = torch.cat([graph["y"][graph["mask"]] for graph in data.train])
    counts = y.sum(dim=0) if data.multilabel else y.bincount(minlength=len(data.classes))
    absent = [repr(name) for name, count in zip(data.classes, counts.tolist(), strict=True) if not count]
    if absent and not data.multilabel:
        raise UserError(
            f"{data.name}: no training node has class {', '.join(absent)}: it can never be predicted; put nodes of it into the "
            "training mask, or take the class out"
        )
    return [f"{data.name}: no training node has class {', '.join(absent)}"] if absent else []
