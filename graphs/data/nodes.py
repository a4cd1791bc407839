"""What a node classification data set is, wherever it comes from: one graph with three masks, or graphs for every split."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from common.errors import UserError
from common.streams import numpy_stream
from graphs.data.arrays import Arrays, GraphSet
from graphs.data.masks import recut
from graphs.geometric import Data
from graphs.sparse import compact

if TYPE_CHECKING:
    from jaxtyping import Bool

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
        normalised: whether the features of every node were divided by their sum.
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
    normalised: bool = False
    notes: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    converted: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, data: GraphSet) -> NodeData:
        """The same data as tensors, which share the memory of the arrays."""
        made: dict[int, tuple[object, Tensor]] = {}
        splits = {split: tuple(_tensors(graph, made) for graph in graphs) for split, graphs in data.splits.items()}
        return cls(
            name=data.name,
            classes=data.classes,
            train=splits["train"],
            val=splits["val"],
            test=splits["test"],
            multilabel=data.multilabel,
            normalised=data.normalised,
            notes=data.notes,
            skipped=data.skipped,
        )

    @property
    def arrays(self) -> GraphSet:
        """The same data as arrays, which share the memory of the tensors."""
        made: dict[int, tuple[Tensor, Any]] = {}
        splits = {split: tuple(_arrays(graph, made) for graph in graphs) for split, graphs in self.splits.items()}
        return GraphSet(
            name=self.name,
            classes=self.classes,
            train=splits["train"],
            val=splits["val"],
            test=splits["test"],
            multilabel=self.multilabel,
            normalised=self.normalised,
            notes=self.notes,
            skipped=self.skipped,
        )

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
        return self.arrays.transductive

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
        masks = recut(labels, train["mask"].numpy(), val["mask"].numpy(), numpy_stream(0, "recut", number))
        first, second = (_masked(graph, torch.from_numpy(mask)) for graph, mask in zip((train, val), masks, strict=True))
        return replace(self, train=(first,), val=(second,))

    def describe(self) -> dict[str, Any]:
        """See `GraphSet.describe`."""
        return self.arrays.describe()


def _tensors(graph: Arrays, made: dict[int, tuple[object, Tensor]]) -> Data:
    """The graph as tensors; an array that graphs share becomes one tensor. `made` keeps arrays, so that identities stay apart."""
    parts = {"x": graph.x, "edge_index": graph.edge_index, "y": graph.y, "mask": graph.mask}
    for array in parts.values():
        made.setdefault(id(array), (array, torch.from_numpy(array)))
    return Data(**{key: made[id(array)][1] for key, array in parts.items()})


def _arrays(graph: Data, made: dict[int, tuple[Tensor, Any]]) -> Arrays:
    """The graph as arrays; a tensor that graphs share becomes one array."""
    parts: dict[str, Tensor] = {key: graph[key] for key in ("x", "edge_index", "y", "mask")}
    for tensor in parts.values():
        made.setdefault(id(tensor), (tensor, tensor.numpy()))
    return Arrays(**{key: made[id(tensor)][1] for key, tensor in parts.items()})


def _masked(graph: Data, mask: Bool[Tensor, "n"]) -> Data:
    """The graph with another mask; tensors are shared."""
    return Data(x=graph["x"], edge_index=graph["edge_index"], y=graph["y"], mask=mask)
