"""A NAS-FPN run as plain data. No torch here: `--help` reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from common.errors import UserError, check_least
from detection.heads import RetinaNet
from detection.settings import AloneSettings

BACKBONES = ("shufflenet-tiny", "resnet-10", "resnet-18", "resnet-34", "resnet-50", "resnet-101")


@dataclass(frozen=True, slots=True, kw_only=True)
class PyramidSettings:
    """The pyramid that is searched."""

    levels: tuple[int, ...] = (3, 4, 5, 6, 7)
    """Consecutive, ascending; level l has stride 2**l."""
    between: int = 2
    """Intermediate merging cells, before the outputs."""
    width: int = 256
    """Channels."""
    stacks: int = 7
    """Copies of the cells, each with weights of its own."""
    gate: Literal["coarse-max", "fine-mean"] = "coarse-max"
    """Which map scales the other in an attention cell, and by what: the official code's rule, or mmdetection's."""
    lite: bool = False
    """Separable convolutions and ReLU6."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: a value is out of range.
        """
        check_least(self, "pyramid", ("between",), 0)
        check_least(self, "pyramid", ("width", "stacks"), 1)
        if len(self.levels) < 2 or list(self.levels) != list(range(self.levels[0], self.levels[0] + len(self.levels))):
            raise UserError(f"pyramid.levels={list(self.levels)}: give two or more consecutive levels, ascending")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(AloneSettings):
    """Everything that decides what a run computes."""

    backbone: str
    """What the pyramid stands on: shufflenet-tiny, or resnet-10 to resnet-101."""
    pyramid: PyramidSettings
    head: RetinaNet
    """Anchors, losses and post-processing; strides and channels are the pyramid's."""

    def __post_init__(self) -> None:
        """Checks what can be checked without data.

        Raises:
            UserError: an unknown backbone or budget, or a number out of range.
        """
        AloneSettings.__post_init__(self)  # not super(): slots make the class anew
        if self.backbone not in BACKBONES:
            raise UserError(f"backbone {self.backbone!r} does not exist; choose one of {', '.join(BACKBONES)}")
        if len(self.head.anchor_sizes) != len(self.pyramid.levels):
            raise UserError(
                f"head.anchor_sizes={list(self.head.anchor_sizes)}: the pyramid has {len(self.pyramid.levels)} levels; give one "
                "size for each"
            )
