"""The networks of a search for widths, for the core: those of a run, of the laws, and the released ones."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from binary.costs import BINARY
from binary.real import baseline_with_real_weights
from binary.width.model import build
from binary.width.settings import Settings
from binary.width.space import COUNTS, FOUND, Network, arch_of, length, open_resnet, open_vgg
from common.cost.costs import tabulated
from common.errors import UserError
from common.supernet import opened
from common.system import PublishedNetwork
from common.task import Networks

if TYPE_CHECKING:
    from classification.facts import ClassificationFacts


def networks(settings: Settings, facts: ClassificationFacts) -> Networks:
    """A network whose every width is open; the baseline has ratio 1 everywhere, and its twin has real weights.

    Raises:
        UserError: images are too small to be pooled so often.
    """
    space = searched(settings, len(facts.classes), facts.image_size)
    pools = len(settings.space.base) // 2
    if settings.space.body == "vgg" and facts.image_size < 2**pools:
        raise UserError(
            f"data.size={facts.image_size}: {pools} max-pools need images of {2**pools} pixels; give larger ones or a shorter "
            "space.base"
        )
    costs = tabulated(lambda: build(opened(space)), space, facts.example(), BINARY)
    baseline = arch_of(space, (1,) * length(space))
    return Networks(
        space=space,
        build=build,
        baseline=baseline,
        costs=costs,
        price=costs.price,
        outside=baseline_with_real_weights(build, space, baseline, facts.example()),
    )


def searched(settings: Settings, classes: int, side: int) -> Network:
    """The open network of the settings."""
    s = settings.space
    if s.body == "vgg":
        return open_vgg(s.base, classes, side)
    return open_resnet(s.base, classes, s.stem)


def spaces() -> dict[str, Network]:
    """Spaces of the same form as those of the recipes, small enough for tests."""
    return {"vgg": open_vgg((4, 8, 8, 8), 3, 8), "resnet": open_resnet((4, 8), 3, "small")}


def example(space: str) -> tuple[Tensor, ...]:
    """Inputs small enough for tests."""
    return (torch.zeros(2, 3, 8, 8),)


def released(name: str) -> Network:
    """The space of a released network: VGG-small on CIFAR-10, ResNet-18 on ImageNet."""
    return open_vgg() if name.startswith("VGG") else open_resnet()


def published() -> Mapping[str, PublishedNetwork]:
    """The released networks with the counts of their definitions."""

    def entry(name: str) -> PublishedNetwork:
        space = partial(released, name)
        return PublishedNetwork(description=space, arch=lambda: arch_of(space(), FOUND[name]), costs=COUNTS[name])

    return {name: entry(name) for name in FOUND}
