"""GAN Compression as a declaration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import tyro

from common.deferred import Deferred
from common.errors import UserError
from common.options import DescribeOptions, without_default
from common.system import Method, System
from gan.compression.recipes import RECIPES, fast
from gan.compression.settings import Settings
from gan.settings import TranslationOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(TranslationOptions):
    """Options of a GAN Compression run."""

    recipe: str = "smoke"
    """smoke (embedded data), small (a data folder, on a GPU), small64 (a data folder, on two cores) or paper (as published)."""
    pipeline: Annotated[Literal["full", "fast"] | None, without_default("{full,fast}")] = None
    """full (mobile teacher, distilled start) or fast (dense teacher, no distilled start), instead of the recipe's."""

    def change(self, settings: Settings) -> Settings:
        """See `RunOptions.change`.

        Raises:
            UserError: the recipe has no full pipeline.
        """
        if self.pipeline == "full" and not settings.teacher.mobile:
            raise UserError(f"recipe {settings.recipe} is of the fast pipeline; for the full one take smoke or paper")
        return TranslationOptions.change(self, fast(settings) if self.pipeline == "fast" else settings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Describing(DescribeOptions):
    """Options of `describe gan-compression`."""

    arch: Annotated[str, tyro.conf.arg(metavar="ARCH")]
    """A released name (edges2shoes), an architecture file (arch.json), or a configuration (32_32_48_32_48_48_16_16)."""
    space: Annotated[str | None, without_default("NAME")] = None
    """Choice set that the architecture must be of."""


HERE = "gan.compression"

SYSTEM = System(
    name="gan-compression",
    task=Deferred(f"{HERE}.task", "CompressionTask"),
    settings=Settings,
    methods=(
        Method(
            name="gan-compression",
            title="GAN Compression",
            paper="arXiv:2003.08936",
            authors="Li et al., CVPR 2020",
            summary="search narrow generators under a large one's guidance, from pictures to a report",
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
    notes=Deferred(f"{HERE}.stages", "notes"),
    stages=Deferred(f"{HERE}.stages", "stages"),
    check=Deferred(f"{HERE}.stages", "check_taken"),
    options=Options,
    describing=Describing,
)
"""GAN Compression; its networks are trained under a teacher, which is a file of the run."""
