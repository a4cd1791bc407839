"""A run on EfficientDet's family as plain data. No torch here: `--help` reads it."""

from __future__ import annotations

from dataclasses import dataclass

from common.errors import UserError
from common.stages.settings import PhaseSettings, RunSettings, check_trained
from detection.heads import EfficientHead
from detection.settings import DataSettings

COSTS = ("params", "macs")
"""What an architecture costs, at the side that it resizes images to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(RunSettings):
    """Everything that decides what a run computes."""

    family: str
    """The scaled family that is searched: tiny or paper."""
    head: EfficientHead
    """Anchors, losses and post-processing; width, depth and strides are the member's."""
    data: DataSettings
    retrain_pretrain: PhaseSettings
    """Classification of single objects with a network's backbone, before it is trained to detect. A departure from the paper,
    which begins with weights of ImageNet."""
    retrain_detect: PhaseSettings
    """Detection, of candidates as of the networks that are compared."""
    label_smoothing: float = 0.0
    """Of the classification loss."""

    def __post_init__(self) -> None:
        """Checks what can be checked without data.

        Raises:
            UserError: an unknown family or budget, or a number out of range.
        """
        RunSettings.__post_init__(self)  # not super(): slots make the class anew
        if self.family not in ("tiny", "paper"):
            raise UserError(f"family {self.family!r} does not exist; choose tiny or paper")
        self.check_costs(COSTS, "detector")
        check_trained({"retrain_detect": self.retrain_detect}, "detector")
