"""A space as differentiable search has it: nodes that take some of their inputs, each through an operation."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from common.cost.price import Price
from common.space import ManyOf, OneOf
from common.supernet import choose, opened

IMAGE = torch.zeros(1, 3, 8, 8)


@dataclass(frozen=True)
class Edge:
    """One input of a node and what is done to it."""

    source: int
    op: Any


@dataclass(frozen=True)
class Cell:
    """For each node its incoming edges, numbered from the two inputs of the cell on."""

    nodes: tuple[Any, ...]


def operation(name: str) -> nn.Module:
    match name:
        case "none":
            return nn.MaxPool2d(1)
        case "skip":
            return nn.Identity()
        case "conv1":
            return nn.Conv2d(3, 3, 1)
        case _:
            return nn.Conv2d(3, 3, int(name[-1]), padding=int(name[-1]) // 2)


class Taken(nn.Module):
    def __init__(self, edges: tuple[Edge, ...]) -> None:
        super().__init__()
        self.ops = nn.ModuleList(choose(edge.op, operation) for edge in edges)

    def forward(self, x: Tensor) -> Tensor:
        return sum((op(x) for op in self.ops), torch.zeros_like(x))


def build(cell: Cell) -> nn.Module:
    return nn.Sequential(*(choose(node, Taken) for node in cell.nodes))


def cell_space(nodes: int, ops: tuple[str, ...] = ("none", "skip", "conv1", "conv3"), low: int = 2, high: int = 2) -> Cell:
    """Node i takes `low` to `high` of i + 2 inputs."""
    return Cell(tuple(ManyOf([Edge(i, OneOf(*ops)) for i in range(n + 2)], low, high) for n in range(nodes)))


def price_of(space: Cell) -> Price:
    return Price(build(opened(space)), (IMAGE,), space)
