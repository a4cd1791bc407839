"""The benchmark's operations as PyTorch Geometric's own layers, and the same layers on raw features without their zeros.

Some layers sum over neighbours first and multiply by the weights then, at the width of the raw features. Both are linear: on
`Raw` features the order is changed, so that sums are taken at the width of the output. Weights and results are the layers' own.

Facts from the benchmark's training script and, by parameters, from its table: GIN's network is one linear layer, Chebyshev
polynomials have two terms, ARMA one stack of one layer, which holds a weight that a single layer never uses. Attention has two
heads, joined, by the benchmark's list of operations; copies of the script have four of half the size, with as many parameters.
"""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn

from common.tables.nasbench_graph import OPS, SKIP
from graphs.geometric import (
    ARMAConv,
    ChebConv,
    GATConv,
    GCNConv,
    GINConv,
    GraphConv,
    SAGEConv,
    add_self_loops,
    gcn_norm,
    remove_self_loops,
)
from graphs.nasbench.sparse import Raw

HEADS = 2

LAYERS: dict[str, Callable[[int, int], nn.Module]] = {
    "gat": lambda features, width: GATConv(features, width // HEADS, heads=HEADS),
    "gcn": lambda features, width: GCNConv(features, width),
    "gin": lambda features, width: GINConv(nn.Linear(features, width)),
    "cheb": lambda features, width: ChebConv(features, width, K=2),
    "sage": lambda features, width: SAGEConv(features, width),
    "arma": lambda features, width: ARMAConv(features, width),
    "graph": lambda features, width: GraphConv(features, width),
    "fc": lambda features, width: nn.Linear(features, width),
    SKIP: lambda features, width: nn.Identity(),
}
"""Operation -> a layer from (features in, features out); in the order of the table's `OPS`."""
assert tuple(LAYERS) == OPS


def apply(layer: nn.Module, x: Tensor | Raw, edges: Tensor) -> Tensor | Raw:
    """What a layer of `LAYERS` makes of the features of all nodes.

    Args:
        layer: One of those.
        x: Shape (nodes, features).
        edges: Shape (2, edges): sources, targets.

    Returns:
        Shape (nodes, width); an identity gives `x` back.
    """
    if isinstance(layer, nn.Identity):
        return x
    if isinstance(layer, nn.Linear):
        return _linear(layer, x)
    return _ON_RAW[type(layer)](layer, x, edges) if isinstance(x, Raw) else layer(x, edges)


def _linear(layer: nn.Linear, x: Tensor | Raw) -> Tensor:
    return x.times(layer.weight.t()) + layer.bias if isinstance(x, Raw) else layer(x)


def _gat(layer: GATConv, x: Raw, edges: Tensor) -> Tensor:
    assert layer.lin is not None and layer.bias is not None
    y = x.times(layer.lin.weight.t()).view(-1, layer.heads, layer.out_channels)
    edges, _ = add_self_loops(remove_self_loops(edges)[0], num_nodes=x.nodes)
    scores = ((y * layer.att_src).sum(dim=-1), (y * layer.att_dst).sum(dim=-1))
    attention = layer.edge_updater(edges, alpha=scores, edge_attr=None, size=None)
    return layer.propagate(edges, x=(y, y), alpha=attention, size=None).flatten(1) + layer.bias


def _gcn(layer: GCNConv, x: Raw, edges: Tensor) -> Tensor:
    looped, weights = gcn_norm(edges, None, x.nodes)
    return layer.propagate(looped, x=x.times(layer.lin.weight.t()), edge_weight=weights) + layer.bias


def _gin(layer: GINConv, x: Raw, edges: Tensor) -> Tensor:
    assert isinstance(layer.nn, nn.Linear)
    y = x.times(layer.nn.weight.t())
    return layer.propagate(edges, x=(y, y)) + (1 + layer.eps) * y + layer.nn.bias


def _cheb(layer: ChebConv, x: Raw, edges: Tensor) -> Tensor:
    looped, norm = layer.__norm__(edges, x.nodes, None, layer.normalization)
    first, second = (x.times(weight.t()) for weight in layer.lins.parameters())
    assert layer.bias is not None
    return first + layer.propagate(looped, x=second, norm=norm) + layer.bias


def _sage(layer: SAGEConv, x: Raw, edges: Tensor) -> Tensor:
    y = x.times(layer.lin_l.weight.t())
    return layer.propagate(edges, x=(y, y)) + layer.lin_l.bias + x.times(layer.lin_r.weight.t())


def _arma(layer: ARMAConv, x: Raw, edges: Tensor) -> Tensor:
    same, weights = gcn_norm(edges, None, x.nodes, add_self_loops=False)
    assert layer.bias is not None
    summed = layer.propagate(same, x=x.times(layer.init_weight[0]), edge_weight=weights)
    return F.relu(summed + x.times(layer.root_weight[0, 0]) + layer.bias[0, 0])  # its default activation


def _graph(layer: GraphConv, x: Raw, edges: Tensor) -> Tensor:
    y = x.times(layer.lin_rel.weight.t())
    return layer.propagate(edges, x=(y, y), edge_weight=None) + layer.lin_rel.bias + x.times(layer.lin_root.weight.t())


_ON_RAW: dict[type[nn.Module], Callable[..., Tensor]] = {
    GATConv: _gat,
    GCNConv: _gcn,
    GINConv: _gin,
    ChebConv: _cheb,
    SAGEConv: _sage,
    ARMAConv: _arma,
    GraphConv: _graph,
}
