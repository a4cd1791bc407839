"""The networks of a search for groups, for the core: those of a run, and of the laws."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from binary.costs import BINARY
from binary.groups.model import build
from binary.groups.settings import Settings
from binary.groups.space import DEPTHWISE, MOBILENET, Network, Stage, arch_of, open_network
from binary.real import baseline_with_real_weights
from common.cost.costs import tabulated
from common.errors import UserError
from common.space import Arch
from common.supernet import opened
from common.system import PublishedNetwork
from common.task import Networks

if TYPE_CHECKING:
    from classification.facts import ClassificationFacts

REACTNET_A = 87_126_016
"""Operations of ReActNet-A (2003.03488), by count; 0.87e8 were published."""


def networks(settings: Settings, facts: ClassificationFacts) -> Networks:
    """A binary MobileNet whose groups are open; the baseline has 4 groups everywhere, or as many as all blocks allow.

    Raises:
        UserError: images are too small to be halved so often.
    """
    s = settings.space
    space = searched(settings, len(facts.classes), facts.image_size)
    shrink = s.stride
    for block in s.blocks:
        shrink *= block.stride
    if facts.image_size % shrink:
        raise UserError(
            f"data.size={facts.image_size}: the body makes images {shrink} times smaller, and its shortcuts need whole pixels; "
            f"give a multiple of {shrink}, or fewer strides in space.blocks and space.stride"
        )
    costs = tabulated(lambda: build(opened(space)), space, facts.example(), BINARY)
    common = [number for number in (1, 2, 4) if all(number in decision.options for decision in space.groups)]
    count = len(space.groups)
    baseline = arch_of(space, (common[-1],) * count)
    return Networks(
        space=space,
        build=build,
        baseline=baseline,
        costs=costs,
        price=costs.price,
        outside=baseline_with_real_weights(build, space, baseline, facts.example()),
        hand_made={"depthwise": arch_of(space, (DEPTHWISE,) * count), "one group": arch_of(space, (1,) * count)},
    )


def searched(settings: Settings, classes: int, side: int) -> Network:
    """The open network of the settings, on images of any side."""
    s = settings.space
    return open_network(s.blocks, s.stem, s.stride, classes)


def spaces() -> dict[str, Network]:
    """Spaces of the same form as those of the recipes, small enough for tests."""
    return {"groups": open_network((Stage(4, 1), Stage(8, 2), Stage(8, 1)), 4, 1, 3)}


def published() -> Mapping[str, PublishedNetwork]:
    """No vector of the paper can be read. With one group everywhere the body is ReActNet-A's, whose operations were published."""

    def arch() -> Arch:
        return arch_of(open_network(), (1,) * len(MOBILENET))

    return {"1": PublishedNetwork(description=open_network, arch=arch, costs={"ops": REACTNET_A})}


def example(space: str) -> tuple[Tensor, ...]:
    """Inputs small enough for tests."""
    return (torch.zeros(2, 3, 8, 8),)
