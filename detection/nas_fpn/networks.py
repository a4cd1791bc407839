"""What a NAS-FPN run searches, builds and prices on its data."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from common.system import PublishedNetwork
from common.task import Networks
from detection.build import build as build_detector
from detection.build import costs, fast
from detection.description import DetectorNet
from detection.nas_fpn.drawing import draw
from detection.nas_fpn.names import published_space
from detection.nas_fpn.settings import Settings
from detection.nas_fpn.space import arch_of, hand_made, space, top_down
from detection.necks.merges import PUBLISHED

if TYPE_CHECKING:
    from common.space import Arch
    from detection.facts import DetectionFacts


def networks(settings: Settings, facts: DetectionFacts) -> Networks:
    """Detectors with every pyramid of the grammar. All of them cost the same but for what merging costs, which is not counted."""
    net = space(settings.backbone, settings.pyramid, settings.head, len(facts.classes))
    baseline = arch_of(net, top_down(settings.pyramid.levels, settings.pyramid.between))
    return Networks(
        space=net,
        build=fast,
        baseline=baseline,
        costs=costs(net, baseline, facts.canvas),
        hand_made=hand_made(net),
        draw=partial(draw, net),
        has_supernet=False,
    )


def build(net: DetectorNet) -> nn.Module:
    """The detector of a settled description."""
    return build_detector(net)


def spaces() -> dict[str, Any]:
    """None: pyramids share no weights, so that the laws of supernets do not apply."""
    return {}


def example(space: str) -> tuple[torch.Tensor, ...]:
    """Inputs small enough for tests."""
    return (torch.zeros(2, 3, 64, 64, dtype=torch.uint8),)


def published() -> Mapping[str, PublishedNetwork]:
    """The pyramid of the paper on a ResNet-50 for 90 classes: 60.17 M parameters (60.3 M in the paper's table)."""

    def arch() -> Arch:
        return arch_of(published_space(7, 256), PUBLISHED)

    return {"7@256": PublishedNetwork(description=partial(published_space, 7, 256), arch=arch, params=60_174_734)}
