"""How much a node hears from each neighbour: the seven attention kinds of GraphNAS (1904.09981) and PDNAS (2003.09676).

Along an edge from a node j to a node i, with z the nodes' features after the linear layer, in heads, and vectors a_l, a_r, w of
each head:

    const        1
    gcn          1 / sqrt(d_i d_j), d counting the self loop
    gat          LeakyReLU(a_l . z_i + a_r . z_j), slope 0.2
    sym-gat      the same from j to i and from i to j, summed
    cos          (a_l * z_i) . (a_r * z_j)
    linear       tanh(a_l . z_j + a_r . z_j)
    gene-linear  w . tanh(a_l * z_i + a_r * z_j), w the same for all heads

All but the first two are normalised by a softmax over the edges into i.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from common.supernet import fmap, scale
from common.supernet.open import largest
from graphs.geometric import softmax
from graphs.pdnas.edges import Edges

SLOPE = 0.2
"""Of GAT's LeakyReLU."""


class Const(nn.Module):
    """Every neighbour alike."""

    def forward(self, z: Float[Tensor, "n h c"], edges: Edges) -> Float[Tensor, "e 1"]:
        """Ones."""
        return torch.ones_like(edges.symmetric)


class Gcn(nn.Module):
    """The symmetric normalisation of GCN (1609.02907)."""

    def forward(self, z: Float[Tensor, "n h c"], edges: Edges) -> Float[Tensor, "e 1"]:
        """The same for all heads."""
        return edges.symmetric


class Scored(nn.Module):
    """An attention kind with vectors a_l and a_r, normalised by a softmax; what differs is `scores`."""

    def __init__(self, width: Any, heads: Any) -> None:
        """Makes the vectors, uniform as in GAT: Glorot's bound for `heads` vectors of `width` / `heads` entries each."""
        super().__init__()
        bound = math.sqrt(6 / largest(fmap(lambda w, h: h + w // h, width, heads)))
        self.left, self.right = scale(width, bound), scale(width, bound)

    def forward(self, z: Float[Tensor, "n h c"], edges: Edges) -> Float[Tensor, "e h"]:
        """Weights of the edges into a node sum to 1 in each head."""
        left, right = (vector(z.flatten(1)).view_as(z) for vector in (self.left, self.right))
        return softmax(self.scores(left, right, edges), edges.target, num_nodes=edges.nodes)

    def scores(self, left: Float[Tensor, "n h c"], right: Float[Tensor, "n h c"], edges: Edges) -> Float[Tensor, "e h"]:
        """Before the softmax; `left` is a_l * z, `right` a_r * z."""
        raise AssertionError("abstract")


class Gat(Scored):
    """GAT's scores (1710.10903, equation 3)."""

    def scores(self, left: Tensor, right: Tensor, edges: Edges) -> Tensor:
        """LeakyReLU(a_l . z_i + a_r . z_j)."""
        return _gat(left.sum(-1), right.sum(-1), edges.target, edges.source)


class SymGat(Scored):
    """GAT's scores in both directions."""

    def scores(self, left: Tensor, right: Tensor, edges: Edges) -> Tensor:
        """The score of the edge and that of its reverse."""
        left, right = left.sum(-1), right.sum(-1)
        return _gat(left, right, edges.target, edges.source) + _gat(left, right, edges.source, edges.target)


def _gat(left: Float[Tensor, "n h"], right: Float[Tensor, "n h"], i: Tensor, j: Tensor) -> Float[Tensor, "e h"]:
    return F.leaky_relu(left[i] + right[j], SLOPE)


class Cos(Scored):
    """An inner product of both nodes."""

    def scores(self, left: Tensor, right: Tensor, edges: Edges) -> Tensor:
        """(a_l * z_i) . (a_r * z_j)."""
        return (left[edges.target] * right[edges.source]).sum(-1)


class Linear(Scored):
    """The neighbour alone."""

    def scores(self, left: Tensor, right: Tensor, edges: Edges) -> Tensor:
        """tanh(a_l . z_j + a_r . z_j)."""
        return (left + right).sum(-1).tanh()[edges.source]


class GeneLinear(Scored):
    """A small network of both nodes."""

    def __init__(self, width: Any, heads: Any) -> None:
        """Makes the vectors of all heads, and the one that they share."""
        super().__init__(width, heads)
        each = fmap(lambda w, h: w // h, width, heads)
        self.general = scale(each, math.sqrt(6 / (1 + largest(each))))

    def scores(self, left: Tensor, right: Tensor, edges: Edges) -> Tensor:
        """w . tanh(a_l * z_i + a_r * z_j)."""
        return self.general((left[edges.target] + right[edges.source]).tanh()).sum(-1)


def attention(kind: str, width: Any, heads: Any) -> nn.Module:
    """The attention of a kind in `ATTENTIONS`.

    Args:
        kind: its name.
        width: of all heads together; it and `heads` may be open.
        heads: how many.

    Returns:
        A module of (z of shape (n, h, c), `Edges`) whose weights have shape (e, h), or (e, 1) where all heads share them.
    """
    match kind:
        case "const":
            return Const()
        case "gcn":
            return Gcn()
    return {"gat": Gat, "sym-gat": SymGat, "cos": Cos, "linear": Linear, "gene-linear": GeneLinear}[kind](width, heads)
