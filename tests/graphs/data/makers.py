"""Small graphs and data sets: as tensors, as Planetoid's raw files, and as classes in PyTorch Geometric's manner."""

import pickle
from collections import defaultdict
from pathlib import Path

import numpy as np
import scipy.sparse
import torch
from torch_geometric.data import Data, InMemoryDataset

from graphs.data import NodeData


def ring(nodes=8, classes=2, mask=None) -> Data:
    """An undirected ring; labels go round the classes."""
    start = torch.arange(nodes)
    pairs = torch.stack([start, (start + 1) % nodes])
    edge_index = torch.cat([pairs, pairs.flip(0)], dim=1)
    x = torch.arange(nodes * 3).float().reshape(nodes, 3)
    graph = Data(x=x, edge_index=edge_index, y=start % classes)
    if mask is not None:
        graph.mask = mask
    return graph


def span(first, last, nodes=8):
    mask = torch.zeros(nodes, dtype=torch.bool)
    mask[first:last] = True
    return mask


def node_data(graph=None, masks=None, classes=2, multilabel=False) -> NodeData:
    """One graph in three splits."""
    graph = graph or ring(classes=classes)
    masks = masks or (span(0, 4), span(4, 6), span(6, 8))
    train, val, test = (Data(x=graph.x, edge_index=graph.edge_index, y=graph.y, mask=mask) for mask in masks)
    names = tuple(str(label) for label in range(classes))
    return NodeData(name="toy", classes=names, train=(train,), val=(val,), test=(test,), multilabel=multilabel)


def tables(classes=3, features=5, rest=530, test=20, seed=0) -> dict:
    """What the eight files hold; 3 nodes a class train, and the test nodes are listed in a shuffled order."""
    rng = np.random.default_rng(seed)
    train, nodes = 3 * classes, rest + test
    x = (rng.random((nodes, features)) < 0.5).astype(np.float32)
    labels = np.eye(classes, dtype=np.int32)[np.arange(nodes) % classes]
    graph = defaultdict(list)
    for node in range(nodes):
        graph[node] = [(node + 1) % nodes, (node - 1) % nodes]
    sparse = scipy.sparse.csr_matrix
    return {
        "x": sparse(x[:train]), "allx": sparse(x[:rest]), "tx": sparse(x[rest:]),
        "y": labels[:train], "ally": labels[:rest], "ty": labels[rest:],
        "graph": graph, "test.index": rest + rng.permutation(test),
    }  # fmt: skip


def write_planetoid(folder: Path, name="tiny", protocol=2, **changed) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for part, value in {**tables(), **changed}.items():
        file = folder / f"ind.{name}.{part}"
        if part == "test.index":
            file.write_text("".join(f"{node}\n" for node in value))
        else:
            file.write_bytes(pickle.dumps(value, protocol=protocol))
    return folder


class Single(InMemoryDataset):
    """One graph of 240 nodes without masks."""

    def __init__(self):
        super().__init__(None)
        self.data, self.slices = self.collate([self.graph()])

    def graph(self):
        return ring(240, 3)


class Masked(Single):
    """Three masks of two columns, edge features, labels of shape (n, 1) and features in double precision."""

    def graph(self):
        graph = ring(8)
        graph.x, graph.y = graph.x.double(), graph.y.int()[:, None]
        graph.edge_attr = torch.ones(graph.edge_index.shape[1], 1)
        graph.edge_weight = torch.ones(graph.edge_index.shape[1])
        for key, mask in (("train", span(0, 4)), ("val", span(4, 6)), ("test", span(6, 8))):
            graph[f"{key}_mask"] = torch.stack([mask, ~mask], dim=1)
        return graph


class TwoMasks(Single):
    def graph(self):
        graph = ring(8)
        graph.train_mask, graph.test_mask = span(0, 4), span(4, 8)
        return graph


class NoTraining(Single):
    def graph(self):
        graph = ring(8)
        graph.val_mask, graph.test_mask = span(0, 4), span(4, 8)
        return graph


class NoTest(Single):
    def graph(self):
        graph = ring(8)
        graph.train_mask, graph.val_mask = span(0, 4), span(4, 8)
        return graph


class Singles(Single):
    """One training node a class, and none to validate on."""

    def graph(self):
        graph = ring(8)
        graph.train_mask, graph.test_mask = span(0, 2), span(4, 8)
        return graph


class Negative(Single):
    """Node 3 has no label."""

    def graph(self):
        graph = ring(240, 3)
        graph.y[3] = -1
        return graph


class Unlabelled(Single):
    def graph(self):
        graph = ring(8)
        graph.y[:] = -1
        return graph


class Sparse(Single):
    def __init__(self):
        InMemoryDataset.__init__(self, None)
        graph = ring(8)
        graph.x = graph.x.to_sparse()
        self.made = graph

    def len(self):
        return 1

    def get(self, idx):
        return self.made


class Whole(Single):
    """A label of the graph, none of its nodes."""

    def graph(self):
        graph = ring(8)
        graph.y = graph.y[:1]
        return graph


class Bare(Single):
    def graph(self):
        return Data(edge_index=ring(8).edge_index, y=ring(8).y, num_nodes=8)


class Empty(Single):
    def graph(self):
        return Data(x=torch.empty(0, 3), edge_index=torch.empty(2, 0, dtype=torch.int64), y=torch.empty(0, dtype=torch.int64))


class Many(InMemoryDataset):
    """Two graphs and no split."""

    def __init__(self):
        super().__init__(None)
        self.data, self.slices = self.collate([ring(8), ring(6)])


class Inductive(InMemoryDataset):
    """Like PPI: several graphs a split, several labels a node, files below its root."""

    def __init__(self, root, split="train", transform=None):
        super().__init__(root, transform)
        self.load(self.processed_paths[["train", "val", "test"].index(split)])

    @property
    def processed_file_names(self):
        return ["train.pt", "val.pt", "test.pt"]

    def process(self):
        for count, path in zip((3, 2, 1), self.processed_paths, strict=True):
            members = [ring(6 + position) for position in range(count)]
            for graph in members:
                graph.y = torch.stack([graph.y, 1 - graph.y, torch.ones_like(graph.y)], dim=1).float()
            self.save(members, path)


class Named(Single):
    """Several data sets in one class, as Amazon and Coauthor are."""

    def __init__(self, name):
        if name != "good":
            raise ValueError(f"unknown\nname {name}")
        super().__init__()


class Demanding(Single):
    def __init__(self, geometry):
        super().__init__()
