"""DCNAS as a declaration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import tyro

from common.deferred import Deferred
from common.options import DescribeOptions, without_default
from common.system import Method, System
from segmentation.dcnas.recipes import RECIPES
from segmentation.dcnas.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Describing(DescribeOptions):
    """Options of `describe dcnas`."""

    arch: Annotated[str, tyro.conf.arg(metavar="ARCH")]
    """unet (a hand-made wiring), or an architecture file (arch.json)."""
    space: Annotated[str | None, without_default("NAME")] = None
    """Size of the search: smoke, small, paper, small-neighbour or paper-neighbour. By default the one that a file was
    written for, and paper for unet."""


def notes(settings: Settings) -> list[str]:
    """What a reader of the report must know."""
    found = [
        "DCNAS's code is not public: where the paper's text leaves a choice open, the one made here is a reconstruction; the "
        "settings and the docstrings name them.",
        "Costs: params and macs are those of the network that is trained alone, without orphan cells, its operators on all "
        "channels, with its head, for one picture of the training pictures' size (convolutions and linear layers).",
        "Random architectures are derived as the found one is: each of their cells has as many inputs, sampled at random.",
    ]
    halves = "The search learns from the training split alone, weights from one half of it and the architecture from the other."
    return [*found, halves] if settings.search.engine.name == "gradient" else found


HERE = "segmentation.dcnas"

SYSTEM = System(
    name="dcnas",
    task=Deferred("segmentation.task", "SegmentationTask"),
    settings=Settings,
    methods=(
        Method(
            name="dcnas",
            title="DCNAS",
            paper="arXiv:2003.11883",
            authors="Zhang et al., CVPR 2021",
            summary="search which cells of a network at all scales are connected, and how, from images to a report",
            recipes=RECIPES,
        ),
    ),
    networks=Deferred(f"{HERE}.networks", "networks"),
    phases=Deferred(f"{HERE}.networks", "phases"),
    build=Deferred(f"{HERE}.model", "build"),
    spaces=Deferred(f"{HERE}.networks", "spaces"),
    types=(Deferred(f"{HERE}.backbones", "DCNAS"), Deferred(f"{HERE}.backbones", "DCNASSupernet")),
    example=Deferred(f"{HERE}.networks", "example"),
    describe=Deferred(f"{HERE}.names", "describe"),
    check=Deferred(f"{HERE}.networks", "check"),
    notes=notes,
    describing=Describing,
)
"""DCNAS; the paper's architecture is published as a figure alone."""
