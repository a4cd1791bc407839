"""The two networks of a search, which share their cells: the one that is searched, and the one that is trained alone."""

from __future__ import annotations

from dataclasses import replace

from classification.darts.settings import NetworkSettings, Settings
from classification.darts.space import FIRST, Cell, Edge, Genotype, Network, Node, darts_space, genotype_of, standalone


def searched(settings: Settings, classes: int) -> Network:
    """The open network that is searched."""
    s = settings.space
    return darts_space(nodes=s.nodes, width=s.width, cells=s.cells, classes=classes, partial=s.partial)


def evaluated(settings: NetworkSettings, cells: Network) -> Network:
    """The network in which `cells`, those of a network settled or open, are trained alone and measured."""
    network = standalone(genotype_of(cells), auxiliary=settings.auxiliary > 0)
    return replace(network, width=settings.width, cells=settings.cells, classes=cells.classes)


def by_hand(nodes: int) -> Genotype:
    """Cells without a search: every node takes both inputs of the cell, each through a separable 3x3 convolution."""
    node = Node(edges=tuple(Edge(source=source, op="sep_conv_3x3") for source in range(FIRST)))
    cell = Cell(nodes=(node,) * nodes, concat=tuple(range(FIRST, FIRST + nodes)))
    return Genotype(normal=cell, reduction=cell)
