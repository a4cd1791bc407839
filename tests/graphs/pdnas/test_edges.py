"""Edges are made once for a graph, and again when it changes."""

import gc

import torch

from graphs.pdnas.edges import _known, edges_of
from tests.graphs.pdnas.dense import EDGE_INDEX, NODES


def test_the_same_graph_has_the_same_edges_until_it_changes():
    index = EDGE_INDEX.clone()
    first = edges_of(index, NODES)
    assert edges_of(index, NODES) is first
    assert edges_of(index.clone(), NODES) is not first
    assert edges_of(index, NODES + 1).nodes == NODES + 1
    index[:, 0] = torch.tensor([2, 3])
    changed = edges_of(index, NODES)
    assert changed.source[0] == 2 and changed.target[0] == 3 and first.source[0] == EDGE_INDEX[0, 0]


def test_edges_go_with_their_graph():
    index = EDGE_INDEX.clone()
    edges_of(index, NODES)
    before = len(_known)
    del index
    gc.collect()
    assert len(_known) == before - 1


def test_places_of_heads():
    edges = edges_of(EDGE_INDEX, NODES)
    at, turned = edges.layouts(3)
    assert edges.layouts(3)[0] is at and at.shape == (3 * NODES, 3 * NODES)
    weights = torch.arange(1.0, 1 + 3 * len(edges.source)).view(-1, 3)
    values = weights.flatten()[at.order]
    matrix = at.matrix(values).to_dense()
    assert torch.equal(turned.matrix(values[turned.order]).to_dense(), matrix.T)
    for edge in range(len(edges.source)):
        for head in range(3):
            assert matrix[edges.target[edge] * 3 + head, edges.source[edge] * 3 + head] == weights[edge, head]
