"""How messages travel: over one hop, or over the ten of personalised PageRank."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from graphs.geometric import MaxAggregation, MeanAggregation, SumAggregation
from graphs.pdnas.attention import Edges

HOPS, TELEPORT = 10, 0.1
"""Of APPNP (1810.05997, section 5): power iterations, and the share of a node's own features in each."""


class Dropped(nn.Module):
    """Drops neighbours in training, the same share of every hop."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def weigh(self, z: Float[Tensor, "n h c"], weights: Float[Tensor, "e h"], edges: Edges) -> Float[Tensor, "e h c"]:
        """What every edge carries."""
        kept = F.dropout(weights, self.rate, self.training) if self.rate else weights
        return kept.unsqueeze(-1) * z[edges.source]


class Once(Dropped):
    """One hop: the messages of the neighbours, aggregated."""

    def forward(self, z: Tensor, weights: Tensor, edges: Edges, aggregate: nn.Module) -> Float[Tensor, "n h c"]:
        """As wide as `z`."""
        return aggregate(self.weigh(z, weights, edges), edges)


class Personalised(Dropped):
    """z_k+1 = (1 - t) A z_k + t z_0, ten times: APPNP's equation 5, with any attention and aggregation in the place of A."""

    def forward(self, z: Tensor, weights: Tensor, edges: Edges, aggregate: nn.Module) -> Float[Tensor, "n h c"]:
        """As wide as `z`."""
        reached = z
        for _ in range(HOPS):
            heard = aggregate(self.weigh(reached, weights, edges), edges)
            reached = (1 - TELEPORT) * heard + TELEPORT * z
        return reached


def propagation(kind: str, rate: float) -> nn.Module:
    """The propagation of a kind in `PROPAGATIONS`; `rate` of the neighbours' weights are dropped in training."""
    return {"once": Once, "personalised": Personalised}[kind](rate)


class Aggregate(nn.Module):
    """What arrives at a node, as one: by a layer of PyG."""

    def __init__(self, kind: str) -> None:
        """Of a kind in `AGGREGATIONS`."""
        super().__init__()
        self.over = {"sum": SumAggregation, "mean": MeanAggregation, "max": MaxAggregation}[kind]()

    def forward(self, messages: Float[Tensor, "e h c"], edges: Edges) -> Float[Tensor, "n h c"]:
        """One row for each node; none is without a message, for the self loop."""
        return self.over(messages, edges.target, dim_size=edges.nodes, dim=0)
