"""DetNAS as a declaration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import tyro

from common.deferred import Deferred
from common.options import DescribeOptions, RunOptions, without_default
from common.system import Method, System
from detection.detnas import joint
from detection.detnas.recipes import RECIPES, with_head
from detection.detnas.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(RunOptions):
    """Options of a DetNAS run."""

    head: Annotated[str | None, without_default("NAME")] = None
    """retinanet or faster_rcnn, instead of the recipe's."""

    def change(self, settings: Settings) -> Settings:
        """See `RunOptions.change`."""
        return settings if self.head is None else with_head(settings, self.head)


@dataclass(frozen=True, slots=True, kw_only=True)
class Describing(DescribeOptions):
    """Options of `describe detnas`."""

    arch: Annotated[str, tyro.conf.arg(metavar="ARCH")]
    """A published name (COCO_FPN_300M), an architecture file (arch.json), or genes ("2 1 2 0 ...")."""
    space: Annotated[str | None, without_default("NAME")] = None
    """Size of the space that the architecture belongs to, where the notation does not tell."""


def notes(settings: Settings) -> list[str]:
    """What a reader of the report must know."""
    return [
        "Costs: params and macs are those of the whole detector at the run's image size, macs_backbone and "
        "macs_classifier those of the backbone at 224x224, alone and with the ImageNet classifier (convolutions and linear "
        "layers).",
    ]


HERE = "detection.detnas"

SYSTEM = System(
    name="detnas",
    task=Deferred("detection.task", "DetectionTask"),
    settings=Settings,
    methods=(
        Method(
            name="detnas",
            title="DetNAS",
            paper="arXiv:1903.10979",
            authors="Chen et al., NeurIPS 2019",
            summary="search the backbone of a detector, from images to a report",
            recipes=RECIPES,
        ),
        Method(
            name="detnas-fpn",
            title="DetNAS with NAS-FPN",
            paper="arXiv:1903.10979",
            authors="Chen et al., NeurIPS 2019; pyramid of Ghiasi et al., CVPR 2019",
            summary="search the backbone and the feature pyramid of a detector together",
            recipes=joint.RECIPES,
        ),
    ),
    networks=Deferred(f"{HERE}.networks", "networks"),
    phases=Deferred(f"{HERE}.phases", "phases"),
    build=Deferred(f"{HERE}.model", "build"),
    spaces=Deferred(f"{HERE}.networks", "spaces"),
    example=Deferred(f"{HERE}.networks", "example"),
    types=(Deferred(f"{HERE}.backbones", "DetNASNet"), Deferred(f"{HERE}.backbones", "DetNASSupernet")),
    published=Deferred(f"{HERE}.networks", "published"),
    describe=Deferred(f"{HERE}.names", "describe"),
    notes=notes,
    options=Options,
    describing=Describing,
)
"""DetNAS."""
