"""What a run on EfficientDet's family searches, builds and prices; `describe`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from common.cost.conventions import conv_linear
from common.describe import Read, counted, is_file, read_file
from common.errors import UserError
from common.space import decisions, decode
from common.system import PublishedNetwork
from common.task import Networks
from detection.build import build as build_detector
from detection.build import costs, fast
from detection.efficientdet.settings import Settings
from detection.efficientdet.space import FAMILIES, PUBLISHED, EfficientDetNet, compound, detector, family, smallest
from detection.efficientdet.space import published as published_arch

if TYPE_CHECKING:
    from detection.facts import DetectionFacts

CONVENTION = "the whole detector at its own image size, MACs of convolutions, 90 classes"


def networks(settings: Settings, facts: DetectionFacts) -> Networks:
    """The members of the family on the data of a run."""
    space = family(settings.family, len(facts.classes), settings.head)
    base = smallest(space)
    prices = costs(space, base, facts.canvas, detector)
    affordable = takewhile(lambda one: _allowed(prices.of(one[1]), settings.budget), compound(space).items())
    return Networks(
        space=space,
        build=lambda net, seed: fast(detector(net), seed),
        baseline=base,
        costs=prices,
        hand_made=dict(affordable),
        has_supernet=False,
    )


def _allowed(found: Mapping[str, int], budget: Mapping[str, float]) -> bool:
    return all(found[name] <= most for name, most in budget.items())


def build(net: EfficientDetNet) -> nn.Module:
    """The detector of a settled member."""
    return build_detector(detector(net))


def example(space: str) -> tuple[torch.Tensor, ...]:
    """Inputs small enough for tests."""
    return (torch.zeros(2, 3, 64, 64, dtype=torch.uint8),)


def published() -> Mapping[str, PublishedNetwork]:
    """The rows of the paper's table 1."""
    return {
        name: PublishedNetwork(
            description=partial(family, "paper"), arch=partial(published_arch, name), params=PUBLISHED[name].params
        )
        for name in PUBLISHED
    }


def describe(options: Any) -> dict[str, Any]:
    """Counts of a published member (D0 to D7x), or of an architecture file."""
    text = options.arch
    _, space, arch = read_arch(text)
    net = decode(space, arch)
    cost = counted(lambda: build(net), lambda: (torch.empty(1, 3, net.side, net.side, dtype=torch.uint8),), conv_linear)
    return {
        "system": "efficientdet",
        "arch": text,
        "convention": CONVENTION,
        "sizes": {name: getattr(net, name) for name in decisions(space)},
        "params": cost.params,
        "macs": cost.macs,
    }


def read_arch(text: str) -> Read:
    """Family, open description and architecture that `text` stands for.

    Args:
        text: a published name (D0 to D7x), or an architecture file.

    Raises:
        UserError: neither.
    """
    if text in PUBLISHED:
        return Read("paper", family("paper"), published_arch(text))
    if not is_file(text, PUBLISHED, ""):
        raise UserError(f"{text!r} is no published name ({', '.join(PUBLISHED)}) and no architecture file")
    return Read(*read_file(Path(text), [(name, family(name)) for name in FAMILIES], "EfficientDet"))
