"""The network of NAS-Bench-201 (Dong and Yang, ICLR 2020, section 2.1): one cell, repeated in three stages of 1, 2 and 4 widths.

A table has the accuracy of each of its 15,625 cells (`common.tables.nasbench201`), so that what a search finds can be judged
without training it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from classification.cells.operations import Skip, Zero, relu_conv_norm
from common.cost.conventions import conv_linear
from common.cost.costs import Entry, Tabulated
from common.cost.price import Price
from common.errors import UserError
from common.space import Arch, OneOf
from common.streams import derive
from common.supernet import choose, opened
from common.supernet.open import meanings
from common.supernet.together import Together
from common.tables.cell import EDGES, OPS

STAGES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class CellNetwork:
    """A stem, three stages of cells with a residual block before the second and the third, average pooling, a linear layer."""

    edges: tuple[Any, ...]
    """The operation on each of `common.tables.cell.EDGES`: a name, or a decision between names."""
    width: int
    """Channels of the first stage."""
    cells: int
    """Cells of a stage."""
    classes: int
    affine: bool = True
    """Whether normalisations inside cells have weights; not in a search."""


def cell_space(*, width: int = 16, cells: int = 5, classes: int = 10, operations: tuple[str, ...] = OPS) -> CellNetwork:
    """The open network that is searched."""
    edges = tuple(OneOf(*operations) for _ in EDGES)
    return CellNetwork(edges=edges, width=width, cells=cells, classes=classes, affine=False)


def every_edge(space: CellNetwork, operation: str) -> Arch:
    """The cell with one operation everywhere, the last one of the space if it does not have that."""
    names = [op.options for op in space.edges]
    return Arch({f"edges.{i}": given.index(operation) if operation in given else len(given) - 1 for i, given in enumerate(names)})


def _operation(name: str, width: int, affine: bool) -> nn.Module:
    match name:
        case "none":
            return Zero(1)
        case "skip_connect":
            return Skip()
        case "avg_pool_3x3":
            pool = nn.AvgPool2d(3, 1, 1, count_include_pad=False)
            pool.alike = name  # pyright: ignore[reportArgumentType]  # see `mixtures`
            return pool
        case _:
            return relu_conv_norm(width, width, 1 if name == "nor_conv_1x1" else 3, 1, affine)


class _Cell(nn.Module):
    """Four nodes, each the sum of an operation on every node before it."""

    def __init__(self, net: CellNetwork, width: int) -> None:
        super().__init__()
        self.edges = nn.ModuleList(choose(op, lambda name: _operation(name, width, net.affine)) for op in net.edges)

    def _reading(self, source: int) -> list[nn.Module]:
        return [edge for (read, _), edge in zip(EDGES, self.edges, strict=True) if read == source]

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        nodes: list[Any] = [x, None, None, None]
        read: dict[int, Together] = {}
        for (source, target), edge in zip(EDGES, self.edges, strict=True):
            if source not in read:
                read[source] = Together(nodes[source], self._reading(source))
            out = read[source](edge)
            nodes[target] = out if nodes[target] is None else nodes[target] + out
        return nodes[-1]


class _Residual(nn.Module):
    """Halves the resolution and doubles the width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            relu_conv_norm(width, 2 * width, 3, 2, affine=True), relu_conv_norm(2 * width, 2 * width, 3, 1, affine=True)
        )
        self.shortcut = nn.Sequential(nn.AvgPool2d(2, 2), nn.Conv2d(width, 2 * width, 1, bias=False))

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d i j"]:
        return self.shortcut(x) + self.body(x)


class Stack(nn.Module):
    """The network of a description, open or settled."""

    def __init__(self, net: CellNetwork) -> None:
        """Makes the network, with weights of the global generator; `build_cells` seeds it."""
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, net.width, 3, 1, 1, bias=False), nn.BatchNorm2d(net.width)]
        width = net.width
        for stage in range(STAGES):
            if stage:
                layers.append(_Residual(width))
                width *= 2
            layers += [_Cell(net, width) for _ in range(net.cells)]
        self.features = nn.Sequential(*layers, nn.BatchNorm2d(width), nn.ReLU())
        self.classifier = nn.Linear(width, net.classes)

    def forward(self, x: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n k"]:
        """Class scores of normalised images."""
        return self.classifier(self.features(x.contiguous(memory_format=torch.channels_last)).mean((2, 3)))


def build_cells(net: CellNetwork, seed: int = 0) -> nn.Module:
    """The module of a description, open or settled; weights (torch's initial ones) are a function of `seed`.

    Raises:
        UserError: an unknown operation, or a size below 1.
    """
    if net.cells < 1 or net.classes < 1 or net.width < 1 or len(net.edges) != len(EDGES):
        raise UserError(f"{net.cells} cells of width {net.width}, {net.classes} classes: give at least 1 of each, and 6 edges")
    if odd := [name for op in net.edges for name in meanings(op) if name not in OPS]:
        raise UserError(f"operation {odd[0]!r} is not in NAS-Bench-201; choose among {', '.join(OPS)}")
    with torch.random.fork_rng([]):
        torch.default_generator.manual_seed(derive(seed, "nasbench201"))
        return Stack(net)


def cell_costs(alone: CellNetwork, size: int) -> Tabulated:
    """Tables of what open networks cost, for one image of that side."""
    return Tabulated(partial(_tables, alone, size))


@lru_cache(maxsize=8)
def _tables(whole: CellNetwork, size: int) -> dict[str, Entry]:
    with torch.device("meta"):
        price = Price(build_cells(opened(whole)), (torch.empty(1, 3, size, size),), whole, convention=conv_linear)
    return {"params": Entry(price, "params"), "macs": Entry(price, "macs")}
