"""A cell in the manner of DARTS: every node takes some of the earlier states, each through an operation of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from common.space import ManyOf, OneOf
from common.supernet import choose, choose_many


@dataclass(frozen=True)
class Edge:
    source: int
    operation: Any


@dataclass(frozen=True)
class Cell:
    nodes: Any  # per node, a subset of edges
    width: int = 4


class Zero(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 0


def operation(name: str, width: int) -> nn.Module:
    if name == "none":
        return Zero()
    if name == "skip":
        return nn.Identity()
    kernel = int(name[-1])
    return nn.Sequential(nn.ReLU(), nn.Conv2d(width, width, kernel, padding=kernel // 2, bias=False), nn.BatchNorm2d(width))


class EdgeModule(nn.Module):
    def __init__(self, edge: Edge, width: int) -> None:
        super().__init__()
        self.source = edge.source
        self.operation = choose(edge.operation, lambda name: operation(name, width))

    def forward(self, states: Sequence[torch.Tensor]) -> torch.Tensor:
        return self.operation(states[self.source])


class CellNetwork(nn.Module):
    def __init__(self, cell: Cell) -> None:
        super().__init__()
        width = cell.width
        self.stem = nn.ModuleList(nn.Conv2d(3, width, kernel, padding=kernel // 2) for kernel in (1, 3))
        self.nodes = nn.ModuleList(choose_many(edges, lambda edge: EdgeModule(edge, width)) for edges in cell.nodes)
        self.head = nn.Linear(width * len(cell.nodes), 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        states = [stem(x) for stem in self.stem]
        for node in self.nodes:
            states.append(node(states))
        return self.head(torch.cat(states[2:], 1).mean((2, 3)))


def build(cell: Cell) -> nn.Module:
    return CellNetwork(cell)


def cell_space(nodes: int, operations: tuple[str, ...], low: int = 2, high: int = 2) -> Cell:
    return Cell(tuple(ManyOf([Edge(j, OneOf(*operations)) for j in range(2 + i)], low, min(high, 2 + i)) for i in range(nodes)))


SPACE = cell_space(3, ("conv3", "skip", "none"))
