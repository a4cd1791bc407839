"""What every data set goes through, whatever its source: refused, mended and noted, or noted. No torch here."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from common.errors import UserError
from graphs.data.arrays import Arrays, GraphSet, is_undirected, one_graph, row_major

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jaxtyping import Int64
    from numpy.typing import NDArray


def check(data: GraphSet) -> GraphSet:
    """The data set with self loops and duplicate edges taken out, and notes of what a reader must know.

    Raises:
        UserError: a graph is unusable (see `check_graph`), or the splits are: one is empty, a node is in train and in another
            split, a class has no training node, or there are fewer than two classes.
    """
    notes = list(data.notes)
    if data.transductive:
        masks = {f"{split}_mask": graphs[0].mask for split, graphs in data.splits.items()}
        graph, found = check_graph(data.train[0], data.name, len(data.classes), multilabel=data.multilabel, masks=masks)
        notes.extend(found)
        notes.extend(_overlaps(masks, data.name))
        splits = [(member,) for member in one_graph(graph.x, graph.edge_index, graph.y, list(masks.values()))]
    else:
        splits = []
        for split, graphs in data.splits.items():
            if not graphs:
                raise UserError(f"{data.name}: {split} has no graph: every split needs at least one; add some")
            splits.append(_graphs(graphs, f"{data.name}, {split}", data, notes))
    if len(data.classes) < 2 and not data.multilabel:
        known = ", ".join(map(repr, data.classes)) or "none"
        raise UserError(f"{data.name}: classes of labelled nodes: {known}; there must be two at least to tell apart: correct y")
    train, val, test = splits
    checked = replace(data, train=train, val=val, test=test)
    _check_widths(checked)
    for split, graphs in checked.splits.items():
        if not any(graph.mask.any() for graph in graphs):
            raise UserError(f"{data.name}: {split} has no node: every split needs at least one; correct its mask")
    notes.extend(_absent(checked))
    notes.extend(_one_hot(checked))
    return replace(checked, notes=tuple(dict.fromkeys(notes)))


def check_graph(
    graph: Arrays,
    name: str,
    classes: int,
    *,
    multilabel: bool = False,
    masks: Mapping[str, NDArray[Any]] | None = None,
) -> tuple[Arrays, tuple[str, ...]]:
    """The graph without self loops and duplicate edges, its edges in row-major order, and notes about it.

    Args:
        graph: of one split.
        name: what messages call it.
        classes: labels are 0 to classes - 1.
        multilabel: y is float of 0 and 1, shape (n, classes).
        masks: which nodes count, by name: only their labels are read. That of the graph by default.

    Raises:
        UserError: an array has another shape or type, an edge joins a node that is not there, a feature is not finite, or the
            label of a node that counts is outside the classes.
    """
    x = _typed(graph.x, "x", np.float32, name)
    if x.ndim != 2 or not len(x) or not x.shape[1]:
        raise UserError(f"{name}: x has shape {x.shape}: must be (nodes, features), at least one of each; correct x")
    edge_index = _typed(graph.edge_index, "edge_index", np.int64, name)
    if edge_index.ndim != 2 or len(edge_index) != 2:
        raise UserError(
            f"{name}: edge_index has shape {edge_index.shape}: must be (2, edges), a column per edge; transpose or correct it"
        )
    nodes = len(x)
    _check_values(x, edge_index, name)
    masks = {"mask": graph.mask} if masks is None else masks
    for key, mask in masks.items():
        if _typed(mask, key, np.bool_, name).shape != (nodes,):
            raise UserError(f"{name}: {key} has shape {mask.shape}: must be ({nodes},), one value per node; correct it")
    y = _labels(_typed(graph.y, "y", np.float32 if multilabel else np.int64, name), name, nodes, classes, multilabel, masks)
    edge_index, notes = _mended(edge_index, nodes, name)
    if not is_undirected(edge_index, nodes):
        notes.append(f"{name}: the graph is directed: messages go from the first to the second node of an edge only")
    isolated = nodes - len(np.unique(edge_index))
    if isolated:
        notes.append(f"{name}: {isolated} of {nodes} nodes have no edge: only their own features say what they are")
    unlabelled = 0 if multilabel else int((y < 0).sum())
    if not x.any():
        notes.append(f"{name}: every feature is 0: only the edges say what nodes are")
    if unlabelled:
        notes.append(f"{name}: {unlabelled} of {nodes} nodes have no label: only their features and edges are used")
    return Arrays(x=x, edge_index=edge_index, y=y, mask=graph.mask), tuple(notes)


def numbered(
    labels: Sequence[tuple[NDArray[Any], NDArray[np.bool_]]], name: str, names: Sequence[str] = ()
) -> tuple[tuple[str, ...], list[NDArray[Any]], list[str]]:
    """Classes that have a node in a mask, the labels of every graph as positions among these classes, and notes.

    Labels of nodes in no mask are not looked at: of a class that is in no mask, or outside all classes, they become -1.

    Args:
        labels: of every graph the class numbers, int64 of shape (n,), and the nodes that are in a mask. Labels of shape
            (n, classes) stay as they are.
        name: what messages call the data.
        names: of the classes; their numbers by default.

    Raises:
        UserError: labels are not one for each node, or a node in a mask has a label that `names` does not reach.
    """
    for y, mask in labels:
        check_shape(y, len(mask), name, labels[0][0].shape[1] if labels[0][0].ndim == 2 else None)
    if labels[0][0].ndim == 2:
        width = labels[0][0].shape[1]
        if names and len(names) != width:
            raise UserError(f"{name}: there are {len(names)} classes, yet y has {width} columns: give a name per column")
        return tuple(names) or tuple(str(label) for label in range(width)), [y for y, _ in labels], []
    known = np.unique(np.concatenate([y[mask & (y >= 0)] for y, mask in labels]))
    if names and len(known) and known[-1] >= len(names):
        y, at = next((y, np.flatnonzero(mask & (y == known[-1]))) for y, mask in labels if (mask & (y == known[-1])).any())
        raise UserError(
            f"{name}: node {at[0]} has label {y[at[0]]}, yet there are {len(names)} classes (labels 0 to {len(names) - 1}): "
            "correct y"
        )
    every = np.arange(len(names)) if names else np.unique(np.concatenate([y[y >= 0] for y, _ in labels]))
    unused = [repr(str(names[label] if names else label)) for label in np.setdiff1d(every, known).tolist()]
    shown = ", ".join(unused[:5]) + (f" and {len(unused) - 5} more" if len(unused) > 5 else "")
    notes = [f"{name}: no node in a mask has class {shown}: left out"] if unused else []
    found = []
    for y, mask in labels:
        at = np.searchsorted(known, y).clip(0, max(len(known) - 1, 0))
        there = known[at] == y if len(known) else np.zeros(len(y), dtype=bool)
        found.append(np.where(there, at, np.where(mask, y, -1)).astype(np.int64))
    return tuple(str(names[label] if names else label) for label in known.tolist()), found, notes


def check_shape(y: NDArray[Any], nodes: int, name: str, classes: int | None = None) -> None:
    """Refuses labels that are not one for each node, or, with `classes`, not a column for each class.

    Raises:
        UserError: names the shape that they must have.
    """
    wanted = (nodes,) if classes is None else (nodes, classes)
    if y.shape != wanted:
        rule = "a label per node (this is no classification of whole graphs)" if classes is None else "a column per class"
        raise UserError(f"{name}: y has shape {y.shape}: must be {wanted}, {rule}; correct y")
    if classes is None and y.dtype != np.int64:
        raise UserError(f"{name}: y is {y.dtype}: must be int64; convert it")


def _typed(value: NDArray[Any], key: str, dtype: type[np.generic], name: str) -> NDArray[Any]:
    if value.dtype != dtype:
        raise UserError(f"{name}: {key} is {value.dtype}: must be {np.dtype(dtype)}; convert it")
    return value


def _check_values(x: NDArray[np.float32], edge_index: NDArray[np.int64], name: str) -> None:
    nodes = len(x)
    outside = np.flatnonzero(((edge_index < 0) | (edge_index >= nodes)).any(axis=0))
    if len(outside):
        at = int(outside[0])
        raise UserError(
            f"{name}: edge {at} (column {at} of edge_index) joins nodes {int(edge_index[0, at])} and {int(edge_index[1, at])}, "
            f"yet x has {nodes} nodes (0 to {nodes - 1}): correct edge_index, or add the node's features"
        )
    wrong = np.argwhere(~np.isfinite(x))
    if len(wrong):
        node, feature = wrong[0].tolist()
        raise UserError(
            f"{name}: feature {feature} of node {node} is {float(x[node, feature])}: features must be finite; replace it "
            f"({len(wrong)} such values)"
        )


def _labels(
    y: NDArray[Any], name: str, nodes: int, classes: int, multilabel: bool, masks: Mapping[str, NDArray[Any]]
) -> NDArray[Any]:
    """The labels, of which those of nodes in no mask need not be any."""
    check_shape(y, nodes, name, classes if multilabel else None)
    counts = np.any(list(masks.values()), axis=0)
    if multilabel:
        bad = (y != 0) & (y != 1)
        wrong = np.argwhere(bad & counts[:, None])
        if len(wrong):
            node, label = wrong[0].tolist()
            raise UserError(f"{name}: class {label} of node {node} is {float(y[node, label])}: must be 0 or 1; correct y")
        return np.where(bad, np.float32(0), y) if bad.any() else y
    bad = (y < 0) | (y >= classes)
    wrong = np.flatnonzero(bad & counts)
    if len(wrong):
        node = int(wrong[0])
        held = " and ".join(key for key, mask in masks.items() if mask[node])
        more = f" ({len(wrong)} such nodes)" if len(wrong) > 1 else ""
        raise UserError(
            f"{name}: node {node} has label {int(y[node])}; labels must be 0 to {classes - 1}. Unlabelled nodes belong in no "
            f"mask: remove node {node} from {held}, or correct y{more}"
        )
    return np.where(bad, -1, y) if bad.any() else y


def _mended(edge_index: Int64[np.ndarray, "2 e"], nodes: int, name: str) -> tuple[Int64[np.ndarray, "2 u"], list[str]]:
    """The edges without self loops and duplicates, and notes of both."""
    notes = []
    loops = edge_index[0] == edge_index[1]
    if loops.any():
        edge_index = edge_index[:, ~loops]
        notes.append(f"{name}: {int(loops.sum())} self loops were removed (models add their own)")
    before = edge_index.shape[1]
    edge_index = row_major(edge_index, nodes)
    if edge_index.shape[1] < before:
        notes.append(f"{name}: {before - edge_index.shape[1]} of {before} entries of edge_index repeat another and were removed")
    return edge_index, notes


def _graphs(graphs: tuple[Arrays, ...], name: str, data: GraphSet, notes: list[str]) -> tuple[Arrays, ...]:
    """The graphs of one split, checked; of what they have in common, one note is enough."""
    checked = []
    noted: list[tuple[str, ...]] = []
    for position, graph in enumerate(graphs):
        own = f"{name}, graph {position}"
        member, found = check_graph(graph, own, len(data.classes), multilabel=data.multilabel)
        checked.append(member)
        if found:
            noted.append(found)
    if noted:
        more = f" ({len(noted) - 1} more graphs of this split have such notes)" if len(noted) > 1 else ""
        notes.extend(note + more for note in noted[0])
    return tuple(checked)


def _overlaps(masks: Mapping[str, NDArray[Any]], name: str) -> list[str]:
    train, val, test = masks.values()
    for other, split in ((val, "val"), (test, "test")):
        both = np.flatnonzero(train & other)
        if len(both):
            raise UserError(
                f"{name}: {len(both)} nodes are in train and in {split}, the first is node {int(both[0])}: figures on nodes that "
                "were learnt mean nothing; correct the masks"
            )
    both = int((val & test).sum())
    # the same nodes on purpose: the notes of the masks say that val serves as test
    return [f"{name}: {both} nodes are in val and in test: figures on them are too good"] if both and val is not test else []


def _check_widths(data: GraphSet) -> None:
    for split, graphs in data.splits.items():
        for position, graph in enumerate(graphs):
            if graph.x.shape[1] != data.features:
                raise UserError(
                    f"{data.name}: graph {position} of {split} has {graph.x.shape[1]} features, the first of train has "
                    f"{data.features}: all graphs must have the same; correct x"
                )


def _absent(data: GraphSet) -> list[str]:
    """Notes of classes that no training node has, for multilabel data; with one label per node they are refused."""
    y = np.concatenate([graph.y[graph.mask] for graph in data.train])
    counts = y.sum(axis=0) if data.multilabel else np.bincount(y, minlength=len(data.classes))
    absent = [repr(name) for name, count in zip(data.classes, counts.tolist(), strict=True) if not count]
    if absent and not data.multilabel:
        raise UserError(
            f"{data.name}: no training node has class {', '.join(absent)}: it can never be predicted; put nodes of it into the "
            "training mask, or take the class out"
        )
    return [f"{data.name}: no training node has class {', '.join(absent)}"] if absent else []


def _one_hot(data: GraphSet) -> list[str]:
    """A note where labels could have been class numbers: with a column per class, nodes may have several classes."""
    if not data.multilabel or len(data.classes) < 2:
        return []
    if any((graph.y[graph.mask].sum(axis=1) != 1).any() for graphs in data.splits.values() for graph in graphs):
        return []
    return [
        f"{data.name}: y has a column per class, so that a node may have several classes, yet every node in a mask has exactly "
        "one: the score is F1 over nodes and classes; give class numbers, y.argmax(1), for one class per node"
    ]
