"""A search for numbers of groups as plain data. No torch here: `--help` reads it."""

from __future__ import annotations

from dataclasses import dataclass

from binary.groups.space import MOBILENET, STEM, Stage, inputs
from binary.settings import BinarySettings
from common.errors import UserError, check_least
from common.stages.settings import PathPhaseSettings, check_trained


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceSettings:
    """The body whose groups are searched."""

    blocks: tuple[Stage, ...] = MOBILENET
    """Width and stride of each block; a width is that of the block before it, or twice as much."""
    stem: int = STEM
    """Channels of the first convolution."""
    stride: int = 2
    """Of the first convolution: 1 for small images."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: a value is out of range.
        """
        check_least(self, "space", ("stem", "stride"), 1)
        if not self.blocks:
            raise UserError("space.blocks=[]: give one block or more")
        if wrong := [block.stride for block in self.blocks if block.stride not in (1, 2)]:
            raise UserError(f"space.blocks: stride {wrong[0]}; give 1 or 2")
        inputs(self.blocks, self.stem)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(BinarySettings):
    """Everything that decides what a run computes."""

    space: SpaceSettings
    weights: PathPhaseSettings
    """Training of the supernet: random groups at every step, binary from the start."""

    def __post_init__(self) -> None:
        """Checks what can be checked without data.

        Raises:
            UserError: an unknown budget, or a number out of range.
        """
        BinarySettings.__post_init__(self)
        check_trained({"weights": self.weights}, "supernet")
