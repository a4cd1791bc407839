"""The edges of a graph as blocks use them, made once for each graph."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from graphs.geometric import add_self_loops, degree
from graphs.sparse import Layout


@dataclass(frozen=True, slots=True)
class Edges:
    """The edges of a graph, self loops included.

    Attributes:
        source: j of each edge, int64 of shape (e,).
        target: i of each edge.
        symmetric: 1 / sqrt(d_i d_j) of each edge, float of shape (e, 1).
        nodes: how many there are.
    """

    source: Int[Tensor, " e"]
    target: Int[Tensor, " e"]
    symmetric: Float[Tensor, "e 1"]
    nodes: int
    _layouts: dict[int, tuple[Layout, Layout]] = field(default_factory=dict, compare=False)

    def layouts(self, heads: int) -> tuple[Layout, Layout]:
        """The places of the weights of `heads` heads, shape (e, heads), in a matrix from (j, head) to (i, head), and in its
        transpose: nodes in rows, the heads of a node one after the other.
        """
        if heads not in self._layouts:
            head = torch.arange(heads, device=self.source.device)
            rows, columns = ((nodes[:, None] * heads + head).flatten() for nodes in (self.target, self.source))
            square = (self.nodes * heads, self.nodes * heads)
            at = Layout.of(rows, columns, square)
            self._layouts[heads] = at, at.turned()
        return self._layouts[heads]


_known: WeakIdKeyDictionary = WeakIdKeyDictionary()  # edge_index -> (its version, Edges)


def edges_of(edge_index: Int[Tensor, "2 e"], nodes: int) -> Edges:
    """The edges, with one self loop for each node: `edge_index` has none yet (`graphs.data` removes them).

    The same object as before for a tensor that has been seen and is as it was.
    """
    if traced(edge_index):
        return _made(edge_index, nodes)
    known: tuple[int, Edges] | None = _known.get(edge_index)
    if known is None or known[0] != edge_index._version or known[1].nodes != nodes:
        known = edge_index._version, _made(edge_index, nodes)
        _known[edge_index] = known
    return known[1]


def traced(tensor: Tensor) -> bool:
    """Whether operations are recorded or counted rather than computed: sparse matrices cannot be exported."""
    return tensor.is_meta or torch.compiler.is_exporting()


def _made(edge_index: Tensor, nodes: int) -> Edges:
    looped, _ = add_self_loops(edge_index, num_nodes=nodes)
    source, target = looped[0], looped[1]
    inverse = degree(target, nodes).rsqrt()
    return Edges(source, target, (inverse[source] * inverse[target]).unsqueeze(1), nodes)
