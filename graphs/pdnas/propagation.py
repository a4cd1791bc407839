"""How messages travel and are put together: over one hop, or over the ten of personalised PageRank."""

from __future__ import annotations

from typing import Any

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from common.supernet import choose
from graphs.geometric import MaxAggregation, MeanAggregation, SumAggregation
from graphs.pdnas.attention import Edges, attention
from graphs.pdnas.space import Message, Personalised

HOPS, TELEPORT = 10, 0.1
"""Of APPNP (1810.05997, section 5): power iterations, and the share of a node's own features in each."""


def carried(z: Float[Tensor, "n h c"], weights: Float[Tensor, "e k"], edges: Edges, dropped: float) -> Float[Tensor, "e h c"]:
    """What every edge carries; k is 1 where all heads share their weights, and the share `dropped` of these is dropped."""
    kept = F.dropout(weights, dropped) if dropped else weights
    return kept.unsqueeze(-1) * z[edges.source]


class Aggregate(nn.Module):
    """What arrives at a node, as one: by a layer of PyG."""

    def __init__(self, kind: str) -> None:
        """Of a kind in `AGGREGATIONS`."""
        super().__init__()
        self.over = {"sum": SumAggregation, "mean": MeanAggregation, "max": MaxAggregation}[kind]()

    def forward(self, messages: Float[Tensor, "e h c"], edges: Edges) -> Float[Tensor, "n h c"]:
        """One row for each node; none is without a message, for the self loop."""
        return self.over(messages, edges.target, dim_size=edges.nodes, dim=0)


class Once(nn.Module):
    """One hop: the messages of the neighbours, aggregated."""

    def __init__(self, message: Message, width: Any, heads: Any, dropout: float) -> None:
        """Makes it; width, heads and the message's fields may be open."""
        super().__init__()
        self.dropout = dropout
        self.attention = choose(message.attention, lambda kind: attention(kind, width, heads))
        self.aggregate = choose(message.aggregation, Aggregate)

    def forward(self, z: Float[Tensor, "n h c"], edges: Edges) -> Float[Tensor, "n h c"]:
        """What every node hears."""
        dropped = self.dropout if self.training else 0.0
        return self.aggregate(carried(z, self.attention(z, edges), edges, dropped), edges)


class TenHops(nn.Module):
    """z_k+1 = (1 - t) A z_k + t z_0, ten times: APPNP's equation 5, with any normalised attention in the place of A."""

    def __init__(self, message: Personalised, width: Any, heads: Any, dropout: float) -> None:
        """Makes it; width, heads and attention may be open."""
        super().__init__()
        self.dropout = dropout
        self.attention = choose(message.attention, lambda kind: attention(kind, width, heads))
        self.aggregate = Aggregate("sum")

    def forward(self, z: Float[Tensor, "n h c"], edges: Edges) -> Float[Tensor, "n h c"]:
        """What every node hears; neighbours are dropped anew at every hop."""
        dropped = self.dropout if self.training else 0.0
        weights, reached = self.attention(z, edges), z
        for _ in range(HOPS):
            reached = (1 - TELEPORT) * self.aggregate(carried(reached, weights, edges, dropped), edges) + TELEPORT * z
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
