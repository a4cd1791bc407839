"""The networks of HNAS for the core: those of a run, of the laws, and the released ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from common.space import Arch, decode
from common.system import PublishedNetwork
from common.task import Networks, Outside
from superres.edsr import of_equal_cost
from superres.hnas.controllers import HierarchicalPolicy
from superres.hnas.costs import HNASCosts
from superres.hnas.drawing import draw
from superres.hnas.model import build
from superres.hnas.space import COUNTS, PUBLISHED, SIDE, Network, arch_of, by_hand, open_network

if TYPE_CHECKING:
    from superres.facts import SuperResFacts
    from superres.hnas.settings import Settings


def networks(settings: Settings, facts: SuperResFacts) -> Networks:
    """Rows of cells: narrow ones with BatchNorm are searched, wide ones without are trained alone."""
    scale, s = facts.scale, settings.space
    space = open_network(scale, s.width, s.cells, searching=True, residual=s.residual)
    alone = partial(trained_alone, width=settings.width)
    costs = HNASCosts(alone(space), SIDE)

    def outside(arch: Arch) -> Mapping[str, Outside]:
        return of_equal_cost(costs.of(arch)["macs_deconv"], scale, SIDE, s.residual)

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
