"""The networks of HNAS for the core: those of a run, of the laws, and the released ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from common.space import Arch, decode
from common.system import PublishedNetwork
from common.task import Networks, Outside
from superres.hnas.controllers import HierarchicalPolicy
from superres.hnas.costs import HNASCosts, cost_of
from superres.hnas.drawing import draw
from superres.hnas.model import build
from superres.hnas.space import COUNTS, PUBLISHED, Network, Residual, arch_of, by_hand, open_network

if TYPE_CHECKING:
    from superres.facts import SuperResFacts
    from superres.hnas.settings import Settings

BLOCKS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
"""Residual blocks of the hand-made networks outside of the space; EDSR's baseline has 16 (arXiv 1707.02921, table 1)."""
CHANNELS_A_BLOCK = 5.0
"""Channels that are aimed at for each of their residual blocks: 64 for 16 blocks (EDSR's baseline), 16 for 3."""


def networks(settings: Settings, facts: SuperResFacts) -> Networks:
    """Rows of cells: narrow ones with BatchNorm are searched, wide ones without are trained alone."""
    scale, s = facts.scale, settings.space
    space = open_network(scale, s.width, s.cells, searching=True, residual=s.residual)
    alone = partial(trained_alone, width=settings.network.width)
    side = facts.patch // scale
    costs = HNASCosts(alone(space), side)

    def outside(arch: Arch) -> Mapping[str, Outside]:
        net, cost = residual_of(costs.of(arch)["macs_deconv"], scale, side)
        net = replace(net, residual=s.residual)
        return {f"EDSR {net.blocks}x{net.width}": Outside(description=net, cost=cost)}

    return Networks(
        space=space,
        build=build,
        baseline=arch_of(space, by_hand(space)),
        costs=costs,
        alone=alone,
        outside=outside,
        draw=lambda arch: draw(decode(space, arch)),
        policy=partial(HierarchicalPolicy, space),
    )


def trained_alone(net: Network, width: int) -> Network:
    """The network of a description, open or settled, as it is trained alone: of another width, without BatchNorm."""
    return replace(net, width=width, searching=False)


def residual_of(macs: int, scale: Any, side: int) -> tuple[Residual, dict[str, int]]:
    """The network like EDSR whose multiply-adds come nearest to `macs`, and what it costs.

    Of each number of blocks the width that comes nearest is taken; among those within 3 %, the one nearest to the usual shape.
    """
    found = []
    for blocks in BLOCKS:
        width = _width(macs, blocks, scale, side)
        net = Residual(width=width, blocks=blocks, scale=scale)
        cost = _cost(net, side)
        found.append((abs(cost["macs_deconv"] / macs - 1), abs(width / blocks - CHANNELS_A_BLOCK), net, cost))
    near = [one for one in found if one[0] <= 0.03] or [min(found, key=lambda one: one[0])]
    _, _, net, cost = min(near, key=lambda one: one[1])
    return net, cost


def _width(macs: int, blocks: int, scale: Any, side: int) -> int:
    """The width, 1 at least, whose multiply-adds come nearest; they grow with the width."""
    low, high = 1, 1
    while _cost(Residual(width=high, blocks=blocks, scale=scale), side)["macs_deconv"] < macs:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if _cost(Residual(width=middle, blocks=blocks, scale=scale), side)["macs_deconv"] < macs:
            low = middle
        else:
            high = middle
    return min(
        (low, high), key=lambda width: abs(_cost(Residual(width=width, blocks=blocks, scale=scale), side)["macs_deconv"] - macs)
    )


def _cost(net: Residual, side: int) -> dict[str, int]:
    with torch.device("meta"):
        return cost_of(build(net), 3, side)._asdict()


def spaces() -> dict[str, Network]:
    """Spaces of the same form as those of the recipes, small enough for tests."""
    return {f"small x{scale}": open_network(scale, width=3, cells=3, searching=True, residual=scale == 3) for scale in (2, 3, 4)}


def example(space: str) -> tuple[Tensor, ...]:
    """Inputs small enough for tests."""
    return (torch.zeros(2, 3, 7, 8),)


def published() -> Mapping[str, PublishedNetwork]:
    """The released networks at scale 2."""
    space = open_network()

    def entry(name: str) -> PublishedNetwork:
        params, macs = COUNTS[name] or (None, None)
        return PublishedNetwork(description=lambda: space, arch=lambda: arch_of(space, PUBLISHED[name]), params=params, macs=macs)

    return {name: entry(name) for name in PUBLISHED}
