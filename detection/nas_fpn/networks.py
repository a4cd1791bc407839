"""What a NAS-FPN run searches, builds and prices on its data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from common.cost.conventions import conv_linear
from common.cost.costs import tabulated
from common.supernet import opened
from common.system import PublishedNetwork
from common.task import Networks
from detection.backbones.modules import backbone
from detection.build import build as build_detector
from detection.build import fast
from detection.description import DetectorNet
from detection.heads import RetinaNet
from detection.nas_fpn.names import published_space
from detection.nas_fpn.settings import Settings
from detection.nas_fpn.space import hand_made, space
from detection.necks.drawing import draw
from detection.necks.merges import PUBLISHED
from detection.necks.settings import PyramidSettings
from detection.necks.wirings import arch_of, top_down

if TYPE_CHECKING:
    from common.space import Arch
    from detection.facts import DetectionFacts


def networks(settings: Settings, facts: DetectionFacts) -> Networks:
    """Detectors with every pyramid of the grammar. All of them cost the same but for what merging costs, which is not counted."""
    net = space(settings.backbone, settings.pyramid, settings.head, len(facts.classes), settings.backbone_weights)
    if settings.backbone_weights is not None:
        backbone(net.backbone)  # a file that does not fit is refused before any work
    baseline = arch_of(net, top_down(settings.pyramid.levels, settings.pyramid.between))
    return Networks(
        space=net,
        build=fast,
        baseline=baseline,
        costs=tabulated(lambda: build(opened(net)), net, (torch.empty(1, 3, *facts.canvas, dtype=torch.uint8),), conv_linear),
        hand_made=hand_made(net),
        draw=partial(draw, net),
    )


def build(net: DetectorNet) -> nn.Module:
    """The detector of a settled description."""
    return build_detector(net)


def spaces() -> dict[str, Any]:
    """Spaces for the laws: a small detector with every pyramid of two stacks, and one of the Lite variant."""
    head = RetinaNet(anchor_sizes=(20, 28, 36), scales_per_octave=1, ratios=(1.0,), stacked_convs=1, head_norm="separate")
    small = PyramidSettings(levels=(3, 4, 5), between=1, width=16, stacks=2)
    lite = replace(small, between=2, stacks=1, gate="fine-mean", lite=True)
    return {name: space("shufflenet-tiny", one, head, 3) for name, one in (("small", small), ("lite", lite))}


def example(space: str) -> tuple[torch.Tensor, ...]:
    """Inputs small enough for tests."""
    return (torch.zeros(2, 3, 64, 64, dtype=torch.uint8),)


def published() -> Mapping[str, PublishedNetwork]:
    """The pyramid of the paper on a ResNet-50 for 90 classes: 60.17 M parameters (60.3 M in the paper's table)."""

    def arch() -> Arch:
        return arch_of(published_space(7, 256), PUBLISHED)

    return {"7@256": PublishedNetwork(description=partial(published_space, 7, 256), arch=arch, params=60_174_734)}
