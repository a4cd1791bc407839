"""A run on EfficientDet's family as plain data. No torch here: `--help` reads it."""

from __future__ import annotations

from dataclasses import dataclass

from detection.efficientdet.space import family
from detection.heads import EfficientHead
from detection.settings import AloneSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(AloneSettings):
    """Everything that decides what a run computes."""

    family: str
    """The scaled family that is searched: tiny, small or paper."""
    head: EfficientHead
    """Anchors, losses and post-processing; width, depth and strides are the member's."""

    def __post_init__(self) -> None:
        """Checks what can be checked without data.

        Raises:
            UserError: an unknown family or budget, or a number out of range.
        """
        AloneSettings.__post_init__(self)  # not super(): slots make the class anew
        family(self.family)
