"""A search for the widths of a binary network as plain data. No torch here: `--help` reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from binary.settings import BinarySettings
from binary.width.space import RESNET_BASE, VGG_BASE
from common.errors import UserError
from common.stages.settings import PathPhaseSettings, check_trained


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceSettings:
    """What is searched."""

    body: Literal["vgg", "resnet"] = "vgg"
    """VGG-small, or ResNet-18."""
    base: tuple[int, ...] = VGG_BASE
    """Channels at ratio 1: of each convolution of VGG, an even number of them; of each stage of ResNet."""
    stem: Literal["imagenet", "small"] = "small"
    """ResNet: a 7x7 convolution of stride 2 and a max-pool, or a 3x3 convolution for small images."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: a value is out of range.
        """
        if self.body == "vgg" and (not self.base or len(self.base) % 2):
            raise UserError(f"space.base={list(self.base)}: every second convolution is pooled; give an even number of widths")
        if self.body == "resnet" and len(self.base) < 1:
            raise UserError(f"space.base={list(self.base)}: give a width for each stage, {list(RESNET_BASE)} in the paper")
        if min(self.base) < 4:
            raise UserError(f"space.base={list(self.base)}: ratio 0.25 needs widths of 4 or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(BinarySettings):
    """Everything that decides what a run computes."""

    space: SpaceSettings
    weights: PathPhaseSettings
    """Training of a supernet, for evaluations that inherit its weights; the paper has none."""

    def __post_init__(self) -> None:
        """Checks what can be checked without data.

        Raises:
            UserError: an unknown budget, or a number out of range.
        """
        BinarySettings.__post_init__(self)
        check_trained({"weights": self.weights}, "supernet")
