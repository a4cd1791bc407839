"""The two networks of a search, which share their cells: the one that is searched, and the one that is trained alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from classification.cells import genotypes
from classification.cells.drawing import draw_cells
from classification.cells.network import check as fits
from classification.cells.space import (
    COUNTS,
    FIRST,
    GOLD,
    OPERATIONS,
    WITHOUT_NONE,
    Cell,
    Edge,
    Genotype,
    Network,
    Node,
    arch_of,
    cells_of,
    darts_space,
    existing,
    in_space,
    standalone,
)
from classification.darts.model import build, cost_tables, counted
from classification.darts.nasbench201 import CellNetwork, build_cells, cell_costs, cell_space, every_edge
from classification.darts.settings import NetworkSettings, Settings
from classification.darts.spaces import SpaceSettings, TableSpaceSettings
from classification.task import enough
from common.errors import UserError
from common.space import Arch, decisions, decode
from common.supernet import opened
from common.system import PublishedNetwork
from common.task import Networks

if TYPE_CHECKING:
    from classification.facts import ClassificationFacts
    from classification.task import ClassificationTask

AUXILIARY_SIDES = range(32, 41)
"""Sides of images on which the second classifier's convolutions end at a single pixel."""


def networks(settings: Settings, facts: ClassificationFacts) -> Networks:
    """Stacks of searched cells: a small one is searched, a large one is trained alone."""
    space = searched(settings, len(facts.classes))
    if isinstance(space, CellNetwork):
        build_cells(opened(space))
        tables = cell_costs(_wide(settings.network, space), facts.image_size)
        alone = partial(_wide, settings.network)
        baseline = every_edge(space, "nor_conv_3x3")
        return Networks(space=space, build=build, baseline=baseline, costs=tables, alone=alone, price=tables.price)
    fits(opened(space))
    fits(opened(evaluated(settings.network, space)))
    assert isinstance(settings.space, SpaceSettings)
    baseline = arch_of(space, by_hand(settings.space))
    assert baseline is not None, "the space has every cell of two edges a node"
    tables, alone = cost_tables(evaluated(settings.network, space), facts.image_size), partial(evaluated, settings.network)
    sums = settings.space.inputs == 2 and not settings.space.gated

    def draw(arch: Arch) -> str:
        return draw_cells(cells_of(decode(space, arch)))

    return Networks(
        space=space,
        build=build,
        baseline=baseline,
        # Under a budget many costs are asked for: from tables, where a cost is a sum over edges.
        costs=tables if settings.budget and sums else counted(space, alone, tables, facts.image_size),
        alone=alone,
        draw=draw,
        # of gated cells a price is an upper bound: nodes that lose all inputs are left out of the network
        price=tables.price if sums or settings.space.gated else None,
    )


def check(task: ClassificationTask) -> None:
    """Refuses images that the second classifier cannot read, and too few of them."""
    s, size = task.settings, task.data.image_size
    if s.network.auxiliary and size not in AUXILIARY_SIDES:
        raise UserError(
            f"network.auxiliary={s.network.auxiliary}: the second classifier reads images of {AUXILIARY_SIDES[0]} to "
            f"{AUXILIARY_SIDES[-1]} pixels, these have {size}; set network.auxiliary=0 or data.size=32"
        )
    enough(task.data.train, "train", s.train)
    for split in task.halves if s.two_levels else (task.data.train,):
        enough(split, "weights", s.weights)


def searched(settings: Settings, classes: int) -> Network | CellNetwork:
    """The open network that is searched."""
    s = settings.space
    if isinstance(s, TableSpaceSettings):
        return cell_space(width=s.width, cells=s.cells, classes=classes, operations=s.names)
    return darts_space(
        nodes=s.nodes,
        operations=s.names,
        least=s.inputs,
        gated=s.gated,
        width=s.width,
        cells=s.cells,
        classes=classes,
        partial=s.partial,
        merged=s.merged,
    )


def evaluated(settings: NetworkSettings, cells: Network) -> Network:
    """The network in which `cells`, those of a network settled or open, are trained alone and measured.

    Nodes of settled cells that have no inputs are left out. Cells of their own keep their number.
    """
    genotype = Genotype(normal=_whole(cells.normal), reduction=_whole(cells.reduction))
    network = standalone(genotype, auxiliary=settings.auxiliary > 0)
    own = tuple(map(_whole, cells.own))
    return replace(network, own=own, width=settings.width, cells=len(own) or settings.cells, classes=cells.classes)


def _whole(cell: Cell) -> Cell:
    """A settled cell without nodes that have no inputs."""
    return cell if decisions(cell) or not cell.nodes else existing(cell)


def _wide(settings: NetworkSettings, cells: CellNetwork) -> CellNetwork:
    """The same of NAS-Bench-201's network."""
    return replace(cells, width=settings.width, cells=settings.cells, affine=True)


def by_hand(settings: SpaceSettings) -> Network:
    """Cells without a search: every node takes both inputs of the cell, each through a separable 3x3 convolution.

    In a space without that operation it is the last one of the space.
    """
    op = "sep_conv_3x3" if "sep_conv_3x3" in settings.names else settings.names[-1]
    node = Node(edges=tuple(Edge(source=source, op=op) for source in range(FIRST)))
    cell = Cell(nodes=(node,) * settings.nodes, concat=tuple(range(FIRST, FIRST + settings.nodes)))
    network = standalone(Genotype(normal=cell, reduction=cell))
    return replace(network, own=(cell,) * settings.cells) if settings.gated else network


def spaces() -> dict[str, Network | CellNetwork]:
    """Spaces of the same form as those of the recipes, small enough for tests."""
    return {
        "small cifar": darts_space(nodes=2, width=4, cells=3),
        "small imagenet": darts_space(nodes=2, operations=WITHOUT_NONE, width=4, cells=3, skeleton="imagenet"),
        "small, few inputs": darts_space(nodes=2, operations=OPERATIONS[3:5], least=0, width=4, cells=3),
        "small merged": darts_space(nodes=2, width=4, cells=3, merged=True),
        "small gated": darts_space(nodes=2, operations=GOLD, gated=True, width=4, cells=3),
        "small nasbench201": cell_space(width=4, cells=1),
        "small partial": darts_space(nodes=2, operations=WITHOUT_NONE, width=8, cells=3, partial=2),
    }


def example(space: str) -> tuple[Tensor, ...]:
    """Inputs small enough for tests."""
    size = 64 if space == "small imagenet" else 16
    return (torch.zeros(2, 3, size, size),)


def published() -> Mapping[str, PublishedNetwork]:
    """The published cells of the family, in CIFAR's skeleton."""

    def entry(name: str, genotype: Any) -> PublishedNetwork:
        params, macs = COUNTS.get(name, (None, None))
        return PublishedNetwork(
            description=lambda: in_space(genotype)[0], arch=lambda: in_space(genotype)[1], params=params, macs=macs
        )

    return {name: entry(name, genotype) for name, genotype in genotypes.published().items()}
