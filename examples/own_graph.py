"""Searches a network for the nodes of your own graph: python examples/own_graph.py [--graph FILE.npz] [--out FOLDER]

The search chooses layers of PyTorch Geometric, their number, and the width of the classifier after them. The file holds `x`
(nodes, features), `edge_index` (2, edges; both directions of an undirected edge), the class `y` of every node, and `split`: 0
for a node of the training, 1 of the validation, 2 of the test. Without a file, a small graph is made first. It takes half a
minute on one core and needs pip install 'tasknas[graphs]'.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, relu

from common import (
    NetworkSettings,
    OneOf,
    OptimSettings,
    PathTrainSettings,
    Repeat,
    RetrainSettings,
    TrainSettings,
    search_network,
)
from common.script import spoken_errors
from common.supernet import choose, linear, repeat
from graphs.geometric import GATConv, GCNConv, SAGEConv, add_self_loops  # torch_geometric's, without a warning on import

WIDTH = 32
LAYERS = {
    # self loops are in the data: a layer that adds them itself reads the numbers of `edge_index`, which no count of shapes can
    "gcn": lambda: GCNConv(WIDTH, WIDTH, add_self_loops=False),
    "gat": lambda: GATConv(WIDTH, WIDTH // 4, heads=4, add_self_loops=False),
    "sage": lambda: SAGEConv(WIDTH, WIDTH),
}


@dataclass(frozen=True)
class Net:
    """`OneOf` is an open decision, `Repeat` an open number of layers, each with a decision of its own."""

    features: int
    classes: int
    layers: Any = Repeat(OneOf(*LAYERS), OneOf(1, 2, 3))
    hidden: Any = OneOf(16, 32, 64)


class Layer(nn.Module):
    """A layer on (features of nodes, edges) that gives both, so that layers can be chained."""

    def __init__(self, kind: Any) -> None:
        super().__init__()
        self.conv = choose(kind, lambda name: LAYERS[name]())

    def forward(self, graph: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Adds what the neighbours say to every node."""
        x, edges = graph
        return x + relu(self.conv(x, edges)), edges


class NodeClassifier(nn.Module):
    """Scores of every class for every node."""

    def __init__(self, net: Net) -> None:
        super().__init__()
        self.first = nn.Linear(net.features, WIDTH)
        self.layers = repeat(net.layers, lambda i, kind: Layer(kind))
        self.head = nn.Sequential(linear(WIDTH, net.hidden), nn.ReLU(), linear(net.hidden, net.classes))

    def forward(self, x: Tensor, edges: Tensor) -> Tensor:
        """(nodes, features) and (2, edges) -> (nodes, classes)."""
        x, _ = self.layers((relu(self.first(x)), edges))
        return self.head(x)


@dataclass(frozen=True)
class Graph:
    """A graph, and what a search asks of it."""

    x: Tensor
    edges: Tensor
    y: Tensor
    split: Tensor

    def train_step(self, network: nn.Module, step: int) -> Tensor:
        """The loss on the training nodes; every step sees the whole graph."""
        nodes = self.split == 0
        return cross_entropy(network(self.x, self.edges)[nodes], self.y[nodes])

    def accuracy(self, network: nn.Module, split: int) -> float:
        """Share of a split's nodes that get their class."""
        right = network(self.x, self.edges).argmax(1) == self.y
        return float(right[self.split == split].float().mean())

    def evaluate(self, network: nn.Module) -> float:
        """What the search compares candidates by."""
        return self.accuracy(network, 1)

    def test(self, network: nn.Module) -> float:
        """What networks are compared by in the end."""
        return self.accuracy(network, 2)


def write_graph(path: Path, nodes: int = 600, classes: int = 4, features: int = 16) -> Path:
    """Makes a graph: nodes join more often within their class, and their features are their class's and much noise."""
    rng = np.random.default_rng(0)
    y = rng.integers(classes, size=nodes)
    joined = np.triu(rng.random((nodes, nodes)) < np.where(y[:, None] == y, 0.025, 0.003), 1)
    x = rng.normal(size=(classes, features))[y] + rng.normal(scale=3.0, size=(nodes, features))
    split = rng.choice(3, size=nodes, p=[0.3, 0.3, 0.4])
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, x=x.astype(np.float32), edge_index=np.argwhere(joined | joined.T).T, y=y, split=split)
    return path


def read_graph(path: Path) -> Graph:
    """The graph of a file, with a loop at every node."""
    with np.load(path, allow_pickle=False) as arrays:
        x, edges, y, split = (torch.from_numpy(arrays[name]) for name in ("x", "edge_index", "y", "split"))
    return Graph(x=x, edges=add_self_loops(edges, num_nodes=len(x))[0], y=y, split=split)


def main() -> None:
    """Reads or makes the graph, searches, and compares."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--graph", type=Path, help=".npz file; by default runs/graph.npz is made")
    parser.add_argument("--out", help="folder of the run; by default the next free one below runs/")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="other settings, by their names in config.json")
    options = parser.parse_args()
    data = read_graph(options.graph or write_graph(Path("runs") / "graph.npz"))
    optim = OptimSettings(name="adam", lr=0.01, weight_decay=5e-4)
    run = search_network(
        NodeClassifier,
        Net(features=data.x.shape[1], classes=int(data.y.max()) + 1),
        data.evaluate,
        data.train_step,
        test=data.test,
        inputs=[data.x, data.edges],
        settings=NetworkSettings(
            supernet=PathTrainSettings(steps=300, optim=optim),
            train=TrainSettings(steps=100, optim=optim),
            retrain=RetrainSettings(random_archs=2, seeds=3),
        ),
        overrides=["search.trials=40", "search.evaluation.calibration_batches=0", *options.set],
        name="own graph",
        out=options.out,
    )
    found = run.network()(data.x, data.edges).argmax(1)
    print(f"report: {run.path / 'report.html'}\nfound: {run.description()}")
    print(f"classes of the first ten nodes: found {found[:10].tolist()}, true {data.y[:10].tolist()}")


if __name__ == "__main__":
    with spoken_errors():  # a mistake in a setting is one line, without a traceback
        main()
