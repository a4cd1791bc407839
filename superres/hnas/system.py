"""HNAS as a declaration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import tyro

from common.deferred import Deferred
from common.options import DescribeOptions, without_default
from common.system import Method, System
from superres.hnas.recipes import RECIPES
from superres.hnas.settings import Settings
from superres.settings import Scale, SuperResOptions, score_notes


@dataclass(frozen=True, slots=True, kw_only=True)
class Describing(DescribeOptions):
    """Options of `describe hnas`."""

    arch: Annotated[str, tyro.conf.arg(metavar="ARCH")]
    """A released name (HNAS-A), an architecture file (arch.json), or NORMAL / UPSAMPLING / POSITION in words."""
    scale: Annotated[Scale | None, without_default("2|3|4")] = None
    """How many times larger the network makes a picture; 2 by default."""
    width: Annotated[int | None, without_default("CHANNELS")] = None
    """Channels of a node; 64 by default."""


def notes(settings: Settings) -> list[str]:
    """What a reader of the report must know."""
    outside = settings.retrain.hand_made and not settings.tune.grid
    return [
        *score_notes(),
        "Costs are those of the network that is trained alone, for a picture of 48x48 pixels. macs count convolutions, as the "
        "paper does; macs_deconv counts transposed ones too, by their output.",
        "baseline: cells of residual separable convolutions, enlarged by sub-pixel convolution in the last cell.",
        *(
            ["EDSR NxC is no architecture of the space: N residual blocks of C channels that cost about as much."]
            if outside
            else []
        ),
    ]


HERE = "superres.hnas"

SYSTEM = System(
    name="hnas",
    task=Deferred("superres.task", "SuperResTask"),
    settings=Settings,
    methods=(
        Method(
            name="hnas",
            title="HNAS",
            paper="arXiv:2003.04619",
            authors="Guo et al., ICASSP 2020",
            summary="search the cells of a super-resolution network, and where it enlarges, with three controllers",
            recipes=RECIPES,
        ),
    ),
    networks=Deferred(f"{HERE}.networks", "networks"),
    phases=Deferred(f"{HERE}.phases", "phases"),
    build=Deferred(f"{HERE}.model", "build"),
    spaces=Deferred(f"{HERE}.networks", "spaces"),
    example=Deferred(f"{HERE}.networks", "example"),
    published=Deferred(f"{HERE}.networks", "published"),
    describe=Deferred(f"{HERE}.names", "describe"),
    notes=notes,
    options=SuperResOptions,
    describing=Describing,
)
"""HNAS; its controllers are a policy of its own for the engine `controller`."""
