"""What a node classification data set is, wherever it comes from: one graph with three masks, or graphs for every split."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from common.errors import UserError
from common.streams import numpy_stream
from graphs.data.masks import recut
from graphs.geometric import Data, homophily, is_undirected
from graphs.sparse import compact

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Bool, Float, Int64

    from common.data.digits import SplitName

Graph = tuple[Tensor, Tensor, Tensor, Tensor]
"""Features (n, f), edge index (2, e), labels (n,) or (n, k), and the nodes that count (n,)."""


@dataclass(frozen=True, kw_only=True, eq=False)  # without slots: `inputs` is computed once
class NodeData:
    """Training, validation and test nodes of one data set.

    A graph is a `Data` with `x` (features, float32, shape (n, f)), `edge_index` (int64, shape (2, e), column k is an edge from
    its first to its second row; an undirected edge stands there in both directions, self loops and duplicates do not), `y` and
    `mask` (the nodes of the split, bool, shape (n,)).

    Attributes:
        name: of the data set.
        classes: names in label order.
        train: to learn from.
        val: to compare architectures on.
        test: touched once, for the final figures.
        multilabel: `y` is float of 0 and 1, shape (n, classes), instead of int64, shape (n,).
        notes: what a reader of the figures must know about this data.
        skipped: what was left out on request, each with its reason.
        converted: by the identity of a feature tensor, that tensor and the one that networks take. All cuts of the data share it.
    """

    name: str
    classes: tuple[str, ...]
    train: tuple[Data, ...]
    val: tuple[Data, ...]
    test: tuple[Data, ...]
    multilabel: bool
    notes: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    converted: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict, repr=False)

    @property
    def splits(self) -> dict[SplitName, tuple[Data, ...]]:
        """The graphs of every split by its name."""
        return {"train": self.train, "val": self.val, "test": self.test}

    @property
    def features(self) -> int:
        """Features per node."""
        return self.train[0]["x"].shape[1]

    @property
    def counted_nodes(self) -> int:
        """Nodes of the first test graph, for which multiply-adds are counted."""
        return len(self.test[0]["x"])

    @property
    def transductive(self) -> bool:
        """Whether the three splits are the same one graph, so that training sees the edges of validation and test nodes."""
        if not len(self.train) == len(self.val) == len(self.test) == 1:
            return False
        return all(_same_graph(self.train[0], other) for other in (self.val[0], self.test[0]))

    @property
    def graphs(self) -> tuple[Data, ...]:
        """Every graph once."""
        return self.train if self.transductive else (*self.train, *self.val, *self.test)

    @cached_property
    def inputs(self) -> dict[SplitName, list[Graph]]:
        """Split name -> its graphs as networks take them: features are sparse where few are not 0."""
        return {split: [self._input(graph) for graph in graphs] for split, graphs in self.splits.items()}

    def _input(self, graph: Data) -> Graph:
        x: Tensor = graph["x"]
        if id(x) not in self.converted:
            self.converted[id(x)] = x, compact(x)  # the tensor is kept with its identity, so that no other gets the same one
        return self.converted[id(x)][1], graph["edge_index"], graph["y"], graph["mask"]

    def recut(self, number: int) -> NodeData:
        """The same graph with other training and validation nodes: as many of every class, or in all where nodes have several.

        Args:
            number: number of the cut; it decides which nodes.

        Raises:
            UserError: the splits are graphs of their own.
        """
        if not self.transductive:
            raise UserError(
                f"cuts: the splits of {self.name} are graphs of their own, which cannot be cut anew; "
                "give search.evaluation.cuts=1, search.engine.derive.evaluation.cuts=1 and tune.cuts=1"
            )
        (train,), (val,) = self.train, self.val
        labels = None if self.multilabel else train["y"].numpy()
        masks = recut(labels, train["mask"], val["mask"], numpy_stream(0, "recut", number))
        first, second = (_masked(graph, mask) for graph, mask in zip((train, val), masks, strict=True))
        return replace(self, train=(first,), val=(second,))

    def describe(self) -> dict[str, Any]:
        """The facts for a report, as JSON values.

        Edges are counted once if every graph is undirected, else by direction; homophily is the share of edges between equal
        labels, None for multilabel data and without edges.
        """
        graphs = self.graphs
        directed = not all(is_undirected(graph["edge_index"], num_nodes=len(graph["x"])) for graph in graphs)
        arcs = sum(graph["edge_index"].shape[1] for graph in graphs)
        return {
            "name": self.name,
            "transductive": self.transductive,
            "graphs": {split: len(members) for split, members in self.splits.items()},
            "nodes": sum(len(graph["x"]) for graph in graphs),
            "counted_nodes": self.counted_nodes,
            "edges": arcs if directed else arcs // 2,
            "directed": directed,
            "features": self.features,
            "classes": list(self.classes),
            "multilabel": self.multilabel,
            "labelled": {split: sum(int(graph["mask"].sum()) for graph in members) for split, members in self.splits.items()},
            "homophily": None if self.multilabel or not arcs else _homophily(graphs, arcs),
            "notes": list(self.notes),
            "skipped": list(self.skipped),
        }


def one_graph(
    x: Float[Tensor, "n f"],
    edge_index: Int64[Tensor, "2 e"],
    y: Tensor,
    masks: Sequence[Bool[Tensor, "n"]],
) -> tuple[Data, Data, Data]:
    """The same graph for train, val and test: they share its tensors and differ in the mask."""
    train, val, test = (Data(x=x, edge_index=edge_index, y=y, mask=mask) for mask in masks)
    return train, val, test


def _masked(graph: Data, mask: Bool[Tensor, "n"]) -> Data:
    """The graph with another mask; tensors are shared."""
    return Data(x=graph["x"], edge_index=graph["edge_index"], y=graph["y"], mask=mask)


def _same_graph(one: Data, other: Data) -> bool:
    """Whether two graphs have the same nodes, edges and labels; shared tensors are not compared number by number."""
    return all(_same(a, b) for a, b in ((one.x, other.x), (one.edge_index, other.edge_index), (one.y, other.y)))


def _same(one: object, other: object) -> bool:
    if one is other:
        return True
    # not yet checked data may lack either
    if not isinstance(one, torch.Tensor) or not isinstance(other, torch.Tensor):
        return False
    return one.dtype == other.dtype and one.shape == other.shape and torch.equal(one, other)


def _homophily(graphs: Sequence[Data], arcs: int) -> float:
    """The share of all edges that join equal labels."""
    counted = (graph for graph in graphs if graph["edge_index"].shape[1])
    equal = sum(homophily(graph["edge_index"], graph["y"], method="edge") * graph["edge_index"].shape[1] for graph in counted)
    return round(equal / arcs, 6)  # torch_geometric computes with 32 bits
