"""What the graph packages take from PyTorch Geometric, imported without the warning that its modules raise when first loaded."""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    # torch_geometric.nn.pool compiles two classes with it on import; nothing here uses them
    warnings.filterwarnings("ignore", "`torch.jit.script` is deprecated", FutureWarning)
    from torch_geometric.data import Data, InMemoryDataset
    from torch_geometric.io import read_planetoid_data
    from torch_geometric.nn import (
        ARMAConv,
        ChebConv,
        GATConv,
        GCNConv,
        GINConv,
        GraphConv,
        MaxAggregation,
        MeanAggregation,
        SAGEConv,
        SumAggregation,
    )
    from torch_geometric.nn.conv.gcn_conv import gcn_norm
    from torch_geometric.transforms import NormalizeFeatures
    from torch_geometric.utils import (
        add_self_loops,
        coalesce,
        contains_self_loops,
        degree,
        homophily,
        is_undirected,
        remove_self_loops,
        softmax,
    )

__all__ = [
    "ARMAConv",
    "ChebConv",
    "Data",
    "GATConv",
    "GCNConv",
    "GINConv",
    "GraphConv",
    "InMemoryDataset",
    "MaxAggregation",
    "MeanAggregation",
    "NormalizeFeatures",
    "SAGEConv",
    "SumAggregation",
    "add_self_loops",
    "coalesce",
    "contains_self_loops",
    "degree",
    "gcn_norm",
    "homophily",
    "is_undirected",
    "read_planetoid_data",
    "remove_self_loops",
    "softmax",
]
