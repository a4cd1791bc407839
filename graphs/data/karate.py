"""Zachary's karate club: 34 nodes, for tests and first looks (W. W. Zachary, 1977)."""

from __future__ import annotations

from dataclasses import replace

from graphs.data.library import library
from graphs.data.nodes import NodeData


def karate() -> NodeData:
    """The members of a club and who met whom; the four classes are communities (T. Kipf and M. Welling, 2017).

    One node a class is for training, as published; the others are for validation and test in turn. A node's feature is its
    own number, one-hot.
    """
    return replace(library("torch_geometric.datasets:KarateClub"), name="karate")
