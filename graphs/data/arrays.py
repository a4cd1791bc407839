"""Graphs as arrays, before a network needs them as tensors. No torch here: data are looked at without it.

`graphs.data.nodes.NodeData` holds the same as tensors.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int64
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

    from common.data.digits import SplitName


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Arrays:
    """A graph, and the nodes of one split. `graphs.data.check` holds it to these shapes and types.

    Attributes:
        x: features, float32 of shape (n, f).
        edge_index: int64 of shape (2, e): column k is an edge from its first to its second row; an undirected edge stands there
            in both directions.
        y: class numbers, int64 of shape (n,); or 0 and 1, float32 of shape (n, classes). A class number below 0: no label.
        mask: nodes of the split, bool of shape (n,).
    """

    x: NDArray[Any]
    edge_index: NDArray[Any]
    y: NDArray[Any]
    mask: NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GraphSet:
    """Training, validation and test nodes of one data set: one graph with three masks, or graphs for every split.

    Attributes:
        name: of the data set.
        classes: names in label order.
        train: to learn from.
        val: to compare architectures on.
        test: read once, for the final figures.
        multilabel: whether a node may have several classes.
        normalised: whether the features of every node were divided by their sum.
        notes: what a reader of the figures must know about this data.
        skipped: nothing: a graph is one piece.
    """

    name: str
    classes: tuple[str, ...]
    train: tuple[Arrays, ...]
    val: tuple[Arrays, ...]
    test: tuple[Arrays, ...]
    multilabel: bool
    normalised: bool = False
    notes: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()

    @property
    def splits(self) -> dict[SplitName, tuple[Arrays, ...]]:
        """The graphs of every split by its name."""
        return {"train": self.train, "val": self.val, "test": self.test}

    @property
    def features(self) -> int:
        """Features of a node."""
        return self.train[0].x.shape[1]

    @property
    def transductive(self) -> bool:
        """Whether the three splits are the same one graph, so that training sees the edges of validation and test nodes."""
        if not len(self.train) == len(self.val) == len(self.test) == 1:
            return False
        return all(_same_graph(self.train[0], other) for other in (self.val[0], self.test[0]))

    @property
    def graphs(self) -> tuple[Arrays, ...]:
        """Every graph once."""
        return self.train if self.transductive else (*self.train, *self.val, *self.test)

    def files(self) -> dict[str, tuple[Path, ...]]:
        """Files of pictures of each split: a graph has none."""
        return dict.fromkeys(self.splits, ())

    def counts(self) -> dict[str, dict[str, int]]:
        """Split -> class -> nodes of it that count."""
        found = {}
        for split, graphs in self.splits.items():
            y = np.concatenate([graph.y[graph.mask] for graph in graphs])
            numbers = y.sum(axis=0).astype(int) if self.multilabel else np.bincount(y, minlength=len(self.classes))
            found[split] = dict(zip(self.classes, numbers.tolist(), strict=True))
        return found

    def noted(self, *notes: str) -> GraphSet:
        """The same data with further notes."""
        return replace(self, notes=(*self.notes, *notes))

    def digest(self) -> str:
        """Digest of what networks read: features, edges, labels of the nodes that count, and the splits."""
        found = hashlib.sha256(repr((self.classes, self.multilabel)).encode())
        shared = self.transductive
        for split, members in self.splits.items():
            for graph in members:
                whole = (graph.x, graph.edge_index) if not shared or split == "train" else ()
                for array in (*whole, graph.mask, graph.y[graph.mask]):
                    found.update(f"{split} {array.dtype} {array.shape}".encode())
                    found.update(np.ascontiguousarray(array).data)
        return found.hexdigest()[:16]

    def scale(self) -> tuple[float, float, float]:
        """Of the training features: the share that is not 0, and the mean and the standard deviation of those."""
        values = np.concatenate([graph.x.ravel() for graph in self.train])
        there = values[values != 0].astype(np.float64)
        if not len(there):
            return 0.0, 0.0, 0.0
        return round(len(there) / len(values), 6), float(there.mean().round(6)), float(there.std().round(6))

    def describe(self) -> dict[str, Any]:
        """The entry `data` of `config.json`.

        Edges are counted once if every graph is undirected, else by direction; homophily is the share of edges between equal
        labels, None for multilabel data and without edges between labelled nodes.
        """
        graphs = self.graphs
        directed = not all(is_undirected(graph.edge_index, len(graph.x)) for graph in graphs)
        arcs = sum(graph.edge_index.shape[1] for graph in graphs)
        return {
            "name": self.name,
            "digest": self.digest(),
            "transductive": self.transductive,
            "graphs": {split: len(members) for split, members in self.splits.items()},
            "nodes": sum(len(graph.x) for graph in graphs),
            "counted_nodes": len(self.test[0].x),
            "edges": arcs if directed else arcs // 2,
            "directed": directed,
            "features": self.features,
            "normalised": self.normalised,
            "scale": list(self.scale()),
            "classes": list(self.classes),
            "multilabel": self.multilabel,
            "labelled": {split: sum(int(graph.mask.sum()) for graph in members) for split, members in self.splits.items()},
            "homophily": None if self.multilabel else homophily(graphs),
            "notes": list(self.notes),
            "skipped": list(self.skipped),
        }


def one_graph(
    x: NDArray[Any],
    edge_index: NDArray[Any],
    y: NDArray[Any],
    masks: Sequence[NDArray[Any]],
) -> tuple[Arrays, Arrays, Arrays]:
    """The same graph for train, val and test: they share its arrays and differ in the mask."""
    train, val, test = (Arrays(x=x, edge_index=edge_index, y=y, mask=mask) for mask in masks)
    return train, val, test


def row_major(edge_index: Int64[np.ndarray, "2 e"], nodes: int) -> Int64[np.ndarray, "2 u"]:
    """Every edge once, sorted by its first node, then by its second."""
    keys = np.unique(edge_index[0] * nodes + edge_index[1])
    return np.stack([keys // nodes, keys % nodes])


def is_undirected(edge_index: Int64[np.ndarray, "2 e"], nodes: int) -> bool:
    """Whether every edge stands there in both directions."""
    return np.array_equal(row_major(edge_index, nodes), row_major(edge_index[::-1], nodes))


def homophily(graphs: Sequence[Arrays]) -> float | None:
    """Share of the edges between labelled nodes that join equal labels; None if there is no such edge."""
    equal = count = 0
    for graph in graphs:
        first, second = graph.y[graph.edge_index[0]], graph.y[graph.edge_index[1]]
        known = (first >= 0) & (second >= 0)
        equal += int((first == second)[known].sum())
        count += int(known.sum())
    return round(equal / count, 6) if count else None


def _same_graph(one: Arrays, other: Arrays) -> bool:
    """Whether two graphs have the same nodes, edges and labels; shared arrays are not compared number by number."""
    return all(_same(a, b) for a, b in ((one.x, other.x), (one.edge_index, other.edge_index), (one.y, other.y)))


def _same(one: NDArray[Any], other: NDArray[Any]) -> bool:
    return one is other or (one.dtype == other.dtype and np.array_equal(one, other))
