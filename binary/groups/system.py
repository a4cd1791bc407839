"""The search for groups of a binary MobileNet as a declaration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import tyro

from binary.groups.recipes import RECIPES
from binary.groups.settings import Settings
from binary.settings import common_notes
from common.deferred import Deferred
from common.options import DescribeOptions
from common.system import Method, System


@dataclass(frozen=True, slots=True, kw_only=True)
class Describing(DescribeOptions):
    """Options of `describe binary-groups`."""

    arch: Annotated[str, tyro.conf.arg(metavar="ARCH")]
    """Groups of all 13 blocks (8, or depthwise) or of each ("1 2 4 ..."), or an architecture file (arch.json)."""


def notes(settings: Settings) -> list[str]:
    """What a reader of the report must know."""
    return [
        *common_notes(settings),
        "A path of the supernet takes the leading part of each filter, not its block-diagonal part; the scale of a filter is "
        "that of the part.",
    ]


HERE = "binary.groups"

SYSTEM = System(
    name="binary-groups",
    task=Deferred("binary.task", "BinaryTask"),
    settings=Settings,
    methods=(
        Method(
            name="binary-groups",
            title="Binary MobileNet",
            paper="arXiv:2005.06305",
            authors="Phan et al., CVPR 2020",
            summary="search the groups of every 3x3 convolution of a binary MobileNet by evolution on a supernet",
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
"""Groups of a binary MobileNet."""
