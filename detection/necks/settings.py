"""Settings of a pyramid that is searched. No torch here: `--help` reads them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from common.errors import UserError, check_least
from detection.heads import WithPyramid
from detection.necks.merges import NASFPN, grammar

SHAPES = tuple(
    (levels, between)
    for levels in ((3, 4, 5, 6, 7), (3, 4, 5, 6), (3, 4, 5), (3, 4), (2, 3, 4, 5), (2, 3, 4))
    for between in range(4)
)
"""Levels and intermediate cells of the pyramids that architecture files are looked for in."""
H = TypeVar("H", bound=WithPyramid)


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
    anytime: bool = False
    """The head learns on the pyramid of every stack, so that a network can be stopped after any of them."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: a value is out of range.
        """
        check_least(self, "pyramid", ("between",), 0)
        check_least(self, "pyramid", ("width", "stacks"), 1)
        if len(self.levels) < 2 or list(self.levels) != list(range(self.levels[0], self.levels[0] + len(self.levels))):
            raise UserError(f"pyramid.levels={list(self.levels)}: give two or more consecutive levels, ascending")

    def neck(self) -> NASFPN:
        """The open pyramid: every wiring of the grammar."""
        return NASFPN(
            wiring=grammar(self.levels, self.between),
            width=self.width,
            stacks=self.stacks,
            gate=self.gate,
            lite=self.lite,
            anytime=self.anytime,
        )

    def under(self, head: H) -> H:
        """`head` with the strides and channels of the pyramid.

        Raises:
            UserError: the head has not one anchor size for each level.
        """
        if len(head.anchor_sizes) != len(self.levels):
            raise UserError(
                f"head.anchor_sizes={list(head.anchor_sizes)}: the pyramid has {len(self.levels)} levels; give one size for each"
            )
        return replace(head, strides=tuple(2**level for level in self.levels), neck_channels=self.width)
