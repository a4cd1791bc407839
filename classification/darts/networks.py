"""The two networks of a search, which share their cells: the one that is searched, and the one that is trained alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from classification.darts import genotypes
from classification.darts.drawing import draw_genotype
from classification.darts.model import build, cost_tables, counted
from classification.darts.model import check as fits
from classification.darts.settings import NetworkSettings, Settings
from classification.darts.space import (
    COUNTS,
    FIRST,
    Cell,
    Edge,
    Genotype,
    Network,
    Node,
    arch_of,
    darts_space,
    genotype_of,
    in_space,
    standalone,
)
from classification.task import enough
from common.errors import UserError
from common.space import Arch, decode
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
    fits(opened(space))
    fits(opened(evaluated(settings.network, space)))
    baseline = arch_of(space, by_hand(settings.space.nodes))
    assert baseline is not None, "the space has every cell of two edges a node"
    tables = cost_tables(evaluated(settings.network, space), facts.image_size)

    def draw(arch: Arch) -> str:
        return draw_genotype(genotype_of(decode(space, arch)))

    return Networks(
        space=space,
        build=build,
        baseline=baseline,
        # Under a budget many costs are asked for: from tables.
        costs=tables if settings.budget else counted(space, partial(evaluated, settings.network), tables, facts.image_size),
        alone=partial(evaluated, settings.network),
        draw=draw,
        price=tables.price,
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


def spaces() -> dict[str, Network]:
    """Spaces of the same form as those of the recipes, small enough for tests."""
    return {
        "small cifar": darts_space(nodes=2, width=4, cells=3),
        "small imagenet": darts_space(nodes=2, none=False, width=4, cells=3, skeleton="imagenet"),
        "small partial": darts_space(nodes=2, none=False, width=8, cells=3, partial=2),
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
