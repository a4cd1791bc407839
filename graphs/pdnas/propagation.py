"""How messages travel and are put together: over one hop, or over the ten of personalised PageRank."""

from __future__ import annotations

from typing import Any

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from common.supernet import choose
from graphs.geometric import MaxAggregation, MeanAggregation, SumAggregation
from graphs.pdnas.attention import attention
from graphs.pdnas.edges import Edges, traced
from graphs.pdnas.space import Message, Personalised
from graphs.sparse import product

HOPS, TELEPORT = 10, 0.1
"""Of APPNP (1810.05997, section 5): power iterations, and the share of a node's own features in each."""


class Sum(nn.Module):
    """What arrives at a node, summed."""

    def forward(self, z: Float[Tensor, "n h c"], weights: Float[Tensor, "e k"], edges: Edges) -> Float[Tensor, "n h c"]:
        """One row for each node; k is 1 where all heads share their weights, else h."""
        if traced(z):
            return pooled(SumAggregation(), z, weights, edges)
        return summed(z, by_rows(weights, edges), weights.shape[1], edges)


def by_rows(weights: Float[Tensor, "e k"], edges: Edges) -> Float[Tensor, " v"]:
    """Weights in the order that `summed` takes them in."""
    at, _ = edges.layouts(weights.shape[1])
    return weights.flatten()[at.order]


def summed(z: Float[Tensor, "n h c"], values: Float[Tensor, " v"], heads: int, edges: Edges) -> Float[Tensor, "n h c"]:
    """The weighted sum over the edges into each node: a sparse product; `heads` is 1 where all heads share their weights."""
    return product(values, z.reshape(edges.nodes * heads, -1), *edges.layouts(heads)).reshape(z.shape)


class Pooled(nn.Module):
    """What arrives at a node, as one, by an aggregation of PyG."""

    def __init__(self, over: nn.Module) -> None:
        super().__init__()
        self.over = over

    def forward(self, z: Float[Tensor, "n h c"], weights: Float[Tensor, "e k"], edges: Edges) -> Float[Tensor, "n h c"]:
        """One row for each node; none is without a message, for the self loop."""
        return pooled(self.over, z, weights, edges)


def pooled(over: nn.Module, z: Float[Tensor, "n h c"], weights: Float[Tensor, "e k"], edges: Edges) -> Float[Tensor, "n h c"]:
    """The messages of every edge, gathered, then aggregated `over` each node."""
    return over(weights.unsqueeze(-1) * z[edges.source], edges.target, dim_size=edges.nodes, dim=0)


def aggregate(kind: str) -> nn.Module:
    """The aggregation of a kind in `AGGREGATIONS`."""
    return {"sum": Sum, "mean": lambda: Pooled(MeanAggregation()), "max": lambda: Pooled(MaxAggregation())}[kind]()


class Once(nn.Module):
    """One hop: the messages of the neighbours, aggregated."""

    def __init__(self, message: Message, width: Any, heads: Any, dropout: float) -> None:
        """Makes it; width, heads and the message's fields may be open."""
        super().__init__()
        self.dropout = dropout
        self.attention = choose(message.attention, lambda kind: attention(kind, width, heads))
        self.aggregate = choose(message.aggregation, aggregate)

    def forward(self, z: Float[Tensor, "n h c"], edges: Edges) -> Float[Tensor, "n h c"]:
        """What every node hears."""
        return self.aggregate(z, F.dropout(self.attention(z, edges), self.dropout, self.training), edges)


class TenHops(nn.Module):
    """z_k+1 = (1 - t) A z_k + t z_0, ten times: APPNP's equation 5, with any normalised attention in the place of A."""

    def __init__(self, message: Personalised, width: Any, heads: Any, dropout: float) -> None:
        """Makes it; width, heads and attention may be open."""
        super().__init__()
        self.dropout = dropout
        self.attention = choose(message.attention, lambda kind: attention(kind, width, heads))

    def forward(self, z: Float[Tensor, "n h c"], edges: Edges) -> Float[Tensor, "n h c"]:
        """What every node hears; neighbours are dropped anew at every hop."""
        weights, reached = self.attention(z, edges), z
        if traced(z):
            for _ in range(HOPS):
                reached = (1 - TELEPORT) * pooled(SumAggregation(), reached, weights, edges) + TELEPORT * z
            return reached
        values = by_rows(weights, edges)
        for _ in range(HOPS):
            kept = F.dropout(values, self.dropout, self.training)
            reached = (1 - TELEPORT) * summed(reached, kept, weights.shape[1], edges) + TELEPORT * z
        return reached


class Silence(nn.Module):
    """No messages."""

    def forward(self, z: Float[Tensor, "n h c"], edges: Edges) -> Float[Tensor, "n h c"]:
        """The nodes' own features."""
        return z


def messages(message: Message | Personalised | None, width: Any, heads: Any, dropout: float) -> nn.Module:
    """The messages of a block; all but the kind of message may be open, and `dropout` of the weights is dropped in training."""
    match message:
        case None:
            return Silence()
        case Message():
            return Once(message, width, heads, dropout)
        case Personalised():
            return TenHops(message, width, heads, dropout)
