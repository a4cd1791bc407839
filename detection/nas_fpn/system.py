"""NAS-FPN as a declaration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import tyro

from common.deferred import Deferred
from common.options import DescribeOptions
from common.system import Method, System
from detection.nas_fpn.recipes import RECIPES
from detection.nas_fpn.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Describing(DescribeOptions):
    """Options of `describe nas-fpn`."""

    arch: Annotated[str, tyro.conf.arg(metavar="ARCH")]
    """The published pyramid as STACKS@WIDTH (7@256; lite:7@64 for separable convolutions), or a file (arch.json)."""
    size: int = 640
    """Side of the image, in pixels."""
    backbone: str = "resnet-50"
    """What the pyramid stands on."""


def notes(settings: Settings) -> list[str]:
    """What a reader of the report must know."""
    return [
        "All pyramids of one size have the same parameters, and multiply-adds that differ only by the levels of their cells.",
        "Pyramids share no weights: every candidate is trained alone, in a cheaper network (search.evaluation.overrides).",
    ]


HERE = "detection.nas_fpn"

SYSTEM = System(
    name="nas-fpn",
    task=Deferred("detection.task", "DetectionTask"),
    settings=Settings,
    methods=(
        Method(
            name="nas-fpn",
            title="NAS-FPN",
            paper="arXiv:1904.07392",
            authors="Ghiasi et al., CVPR 2019",
            summary="search the merging cells of a detector's feature pyramid",
            recipes=RECIPES,
        ),
    ),
    networks=Deferred(f"{HERE}.networks", "networks"),
    phases=Deferred("detection.phases", "alone"),
    build=Deferred(f"{HERE}.networks", "build"),
    spaces=Deferred(f"{HERE}.networks", "spaces"),
    example=Deferred(f"{HERE}.networks", "example"),
    types=(Deferred(f"{HERE}.mmdet_neck", "SearchedFPN"),),
    published=Deferred(f"{HERE}.networks", "published"),
    describe=Deferred(f"{HERE}.names", "describe"),
    notes=notes,
    describing=Describing,
)
"""NAS-FPN."""
