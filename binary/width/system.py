"""The search for the widths of binary networks as a declaration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import tyro

from binary.settings import common_notes
from binary.width.recipes import RECIPES
from binary.width.settings import Settings
from common.deferred import Deferred
from common.options import DescribeOptions
from common.system import Method, System


@dataclass(frozen=True, slots=True, kw_only=True)
class Describing(DescribeOptions):
    """Options of `describe binary-width`."""

    arch: Annotated[str, tyro.conf.arg(metavar="ARCH")]
    """A released name (Res18-Auto-A), a body (ResNet-18, VGG-small, Bi-Real-18), a file (arch.json), or ratios ("1 1 2 ...")."""


def notes(settings: Settings) -> list[str]:
    """What a reader of the report must know."""
    return [
        *common_notes(settings),
        "baseline: ratio 1 for every width; real weights: the same with ordinary convolutions and ReLU.",
    ]


HERE = "binary.width"

SYSTEM = System(
    name="binary-width",
    task=Deferred("binary.task", "BinaryTask"),
    settings=Settings,
    methods=(
        Method(
            name="binary-width",
            title="Binary widths",
            paper="arXiv:1909.07378",
            authors="Shen et al., 2019",
            summary="search the width of every layer of a binary network by evolution",
            recipes=RECIPES,
        ),
    ),
    networks=Deferred(f"{HERE}.networks", "networks"),
    phases=Deferred("binary.phases", "phases"),
    build=Deferred(f"{HERE}.model", "build"),
    spaces=Deferred(f"{HERE}.networks", "spaces"),
    example=Deferred(f"{HERE}.networks", "example"),
    published=Deferred(f"{HERE}.networks", "published"),
    describe=Deferred(f"{HERE}.names", "describe"),
    check=Deferred("binary.phases", "check"),
    stages=Deferred("binary.stages", "stages"),
    notes=notes,
    describing=Describing,
)
"""Widths of VGG-small and ResNet-18."""
