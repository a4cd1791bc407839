"""EfficientDet as a declaration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import tyro

from common.deferred import Deferred
from common.options import DescribeOptions
from common.system import Method, System
from detection.efficientdet.recipes import RECIPES
from detection.efficientdet.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Describing(DescribeOptions):
    """Options of `describe efficientdet`."""

    arch: Annotated[str, tyro.conf.arg(metavar="ARCH")]
    """A published name (D0 to D7x), or an architecture file (arch.json)."""


def notes(settings: Settings) -> list[str]:
    """What a reader of the report must know."""
    return [
        "Costs are those of the whole detector at the image size that it resizes its images to (convolutions).",
        "Members of the family share no weights: every candidate is trained alone, with a share of the final networks' steps.",
    ]


HERE = "detection.efficientdet"

SYSTEM = System(
    name="efficientdet",
    task=Deferred("detection.task", "DetectionTask"),
    settings=Settings,
    methods=(
        Method(
            name="efficientdet",
            title="EfficientDet",
            paper="arXiv:1911.09070",
            authors="Tan et al., CVPR 2020",
            summary="search resolution, width, depth and pyramid of a scaled family of detectors",
            recipes=RECIPES,
        ),
    ),
    networks=Deferred(f"{HERE}.networks", "networks"),
    phases=Deferred("detection.phases", "alone"),
    build=Deferred(f"{HERE}.networks", "build"),
    example=Deferred(f"{HERE}.networks", "example"),
    types=(Deferred(f"{HERE}.mmdet_parts", "SearchedEfficientNet"), Deferred(f"{HERE}.mmdet_parts", "BiFPN")),
    published=Deferred(f"{HERE}.networks", "published"),
    describe=Deferred(f"{HERE}.networks", "describe"),
    notes=notes,
    describing=Describing,
)
"""EfficientDet."""
