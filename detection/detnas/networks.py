"""What DetNAS searches, builds and prices on the data of a run; what the laws are tried on."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from common.cost.costs import Tabulated
from common.system import PublishedNetwork
from common.task import Networks
from detection.build import fast
from detection.description import DetectorNet
from detection.detnas.model import cost_tables
from detection.detnas.settings import Settings
from detection.detnas.space import (
    COUNTS,
    PUBLISHED,
    SIZES,
    backbone,
    classifier,
    published_classifier,
    uniform_arch,
)
from detection.heads import SMALL_RETINANET

if TYPE_CHECKING:
    from detection.facts import DetectionFacts

TINY = "tiny detector"
DETECTORS = {TINY: "tiny", "tiny-scaled detector": "tiny-scaled", "tiny-mobile detector": "tiny-mobile"}
"""Detectors that the laws are tried on -> size of their backbone."""


def networks(settings: Settings, facts: DetectionFacts) -> Networks:
    """Detectors with DetNAS's backbones."""
    body = backbone(settings.space)
    space = DetectorNet(backbone=body, head=settings.head, classes=len(facts.classes))
    costs = Tabulated(partial(cost_tables, space, classifier(settings.space), facts.canvas))
    groups = [[f"backbone.stages.{i}.blocks.{k}" for k in range(n)] for i, n in enumerate(SIZES[settings.space].repeats)]
    return Networks(
        space=space,
        build=fast,
        baseline=uniform_arch(space, 0),
        costs=costs,
        order=None if SIZES[settings.space].scaled else [g[i : i + 2] for g in groups for i in range(0, len(g), 2)],
        price=costs.price,
    )


def spaces() -> dict[str, Any]:
    """Spaces for the laws: the classifiers of every size, and the small detectors with them."""
    detectors = {name: DetectorNet(backbone=backbone(size), head=SMALL_RETINANET, classes=5) for name, size in DETECTORS.items()}
    return {**{name: classifier(name) for name in SIZES}, **detectors}


def example(space: str) -> tuple[Tensor, ...]:
    """Inputs small enough for tests."""
    return (torch.zeros(2, 3, 64, 64, dtype=torch.uint8 if space in DETECTORS else torch.float32),)


def published() -> Mapping[str, PublishedNetwork]:
    """The released architectures, as classifiers."""

    def entry(name: str) -> PublishedNetwork:
        params, macs = COUNTS.get(name, (None, None))
        space, arch = published_classifier(name)
        return PublishedNetwork(description=lambda: space, arch=lambda: arch, params=params, macs=macs)

    return {name: entry(name) for name in PUBLISHED}
