"""What DetNAS searches, builds and prices on the data of a run; what the laws are tried on."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from common.cost.costs import Tabulated
from common.space import Arch, decisions
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
    baseline,
    classifier,
    detector,
    genes_of,
    published_classifier,
)
from detection.heads import SMALL_RETINANET
from detection.necks.drawing import draw
from detection.necks.settings import PyramidSettings

if TYPE_CHECKING:
    from detection.facts import DetectionFacts

TINY = "tiny detector"
JOINT = "tiny detector with pyramid"
DETECTORS = {TINY: "tiny", "tiny-scaled detector": "tiny-scaled", "tiny-mobile detector": "tiny-mobile"}
"""Detectors that the laws are tried on -> size of their backbone."""


def networks(settings: Settings, facts: DetectionFacts) -> Networks:
    """Detectors with DetNAS's backbones."""
    space = detector(settings.space, settings.head, len(facts.classes), settings.pyramid)
    costs = Tabulated(partial(cost_tables, space, classifier(settings.space), facts.canvas))
    groups = [[f"backbone.stages.{i}.blocks.{k}" for k in range(n)] for i, n in enumerate(SIZES[settings.space].repeats)]
    wiring = [path for path in decisions(space) if path.startswith("neck.")]
    chain = [*(group[i : i + 2] for group in groups for i in range(0, len(group), 2)), *([wiring] if wiring else [])]
    return Networks(
        space=space,
        build=fast,
        baseline=baseline(space),
        costs=costs,
        order=None if SIZES[settings.space].scaled else chain,
        price=costs.price,
        draw=None if settings.pyramid is None else partial(draw if SIZES[settings.space].scaled else _drawn, space),
    )


def _drawn(space: DetectorNet, arch: Arch) -> str:
    """The pyramid, with the backbone's genes in the title."""
    return draw(space, arch, f", on blocks {' '.join(map(str, genes_of(arch)))}")


def spaces() -> dict[str, Any]:
    """Spaces for the laws: the classifiers of every size, the small detectors with them, and one with a pyramid."""
    pyramid = PyramidSettings(levels=(3, 4), between=1, width=16, stacks=1)
    detectors = {name: detector(size, SMALL_RETINANET, 5) for name, size in DETECTORS.items()}
    detectors[JOINT] = detector("tiny", SMALL_RETINANET, 5, pyramid)
    return {**{name: classifier(name) for name in SIZES}, **detectors}


def example(space: str) -> tuple[Tensor, ...]:
    """Inputs small enough for tests."""
    return (torch.zeros(2, 3, 64, 64, dtype=torch.uint8 if space in (*DETECTORS, JOINT) else torch.float32),)


def published() -> Mapping[str, PublishedNetwork]:
    """The released architectures, as classifiers."""

    def entry(name: str) -> PublishedNetwork:
        params, macs = COUNTS.get(name, (None, None))
        space, arch = published_classifier(name)
        return PublishedNetwork(description=lambda: space, arch=lambda: arch, params=params, macs=macs)

    return {name: entry(name) for name in PUBLISHED}
