"""An architecture of NAS-Bench-Graph as a network.

Every node normalises what it takes from another one (BatchNorm, ReLU, dropout) and then applies its operation; raw features,
after their own dropout, are taken as they are, also behind skips. Leaves are joined by concatenation, ReLU and a linear layer.
Where a data set has layers before or after the nodes, they are linear, with no activation between them and their neighbours: one
before takes the raw features, one after gives the scores in place of the joining layer. There is no residual connection.
Source: the benchmark's training script; parameters equal the table's exactly (see the tests). The script's BatchNorm of a node
that reads raw features is never applied, yet counted; it is kept here for this reason.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from common.streams import derive
from common.tables.nasbench_graph import SKIP, Network, stored
from graphs.nasbench.layers import LAYERS, apply
from graphs.nasbench.settings import Hyper
from graphs.nasbench.sparse import Raw


class Net(nn.Module):
    """A network, see the module's docstring; made by `build`."""

    def __init__(self, network: Network, features: int, classes: int, hyper: Hyper) -> None:
        """Makes the layers, initialised as theirs are, from the global generator.

        Args:
            network: Settled and as the table stores it.
            features: Columns of the raw features.
            classes: Scores per node.
            hyper: Sizes and dropout.
        """
        super().__init__()
        self.dropout = hyper.dropout
        self.parents = [int(digit) for digit in network.link]
        self.leaves = [node for node in range(1, len(self.parents) + 1) if node not in self.parents]
        width = hyper.width
        self.pre = nn.Linear(features, width) if hyper.pre else nn.Identity()
        self.raw = [not hyper.pre]
        """Whether the input (first) and each node give features that no layer has touched."""
        nodes: list[nn.Module] = []
        for parent, op in zip(self.parents, network.ops, strict=True):
            nodes.append(LAYERS[op](features if self.raw[parent] else width, width))
            self.raw.append(self.raw[parent] and op == SKIP)
        self.nodes = nn.ModuleList(nodes)
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for _ in nodes)
        self.join = nn.Linear(len(self.leaves) * width, width if hyper.post else classes)
        self.post = nn.Linear(width, classes) if hyper.post else nn.Identity()

    def forward(self, x: Tensor | Raw, edge_index: Tensor, nodes: Tensor | None = None) -> Tensor:
        """Class scores.

        Args:
            x: Raw features of all nodes, shape (nodes, features).
            edge_index: Shape (2, edges): sources, targets.
            nodes: Indices of the nodes whose scores are wanted, all by default; the joining layer is spared the others.

        Returns:
            Shape (nodes, classes).
        """
        x = x.dropped(self.dropout, self.training) if isinstance(x, Raw) else F.dropout(x, self.dropout, self.training)
        found: list[Tensor | Raw] = [apply(self.pre, x, edge_index)]
        for node, norm, parent in zip(self.nodes, self.norms, self.parents, strict=True):
            taken = found[parent]
            if not self.raw[parent]:
                taken = F.dropout(F.relu(norm(taken)), self.dropout, self.training)
            found.append(apply(node, taken, edge_index))
        leaves: list[Tensor] = []
        for leaf in self.leaves:
            given = found[leaf]
            assert isinstance(given, Tensor)  # no stored network has a leaf with raw features
            leaves.append(given if nodes is None else given[nodes])
        return self.post(self.join(F.relu(torch.cat(leaves, dim=1))))


def build(network: Network, features: int, classes: int, hyper: Hyper, seed: int = 0) -> Net:
    """The network that the table has trained for `network`.

    Args:
        network: A settled one of `common.tables.nasbench_graph.space()`; an isomorphic one is built as the table stores it.
        features: Columns of the raw features.
        classes: Scores per node.
        hyper: The data set's setting, of `graphs.nasbench.settings.HYPER`.
        seed: Of the initial weights.
    """
    with torch.random.fork_rng([]):  # PyTorch Geometric's layers draw from the global generator
        torch.default_generator.manual_seed(derive(seed, "init"))
        return Net(stored(network), features, classes, hyper)
