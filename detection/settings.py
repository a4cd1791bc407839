"""Settings of detection data. No torch here: `--help` reads it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from common.errors import UserError
from common.stages.settings import PhaseSettings, RunSettings, check_trained
from common.train.optim import OptimSettings
from detection.layout import check_layout

COSTS = ("params", "macs")
"""What an architecture costs: parameters and MACs of the whole detector, at the side of the images that it sees."""
SMALL_OPTIM = OptimSettings(name="adamw", lr=2e-2, weight_decay=0.05, schedule="one-cycle", clip=10.0)
"""One-cycle AdamW: what trains small detectors from little data in seconds (measured; no paper's)."""
BRISK_OPTIM = replace(SMALL_OPTIM, lr=3e-2, momentum=0.85)
"""The same at a higher rate, for trainings of ten seconds."""
LARGEST_SCENE = 288
"""Largest side of an embedded scene, in pixels: the photographs have no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSettings:
    """Which images, and how they are read."""

    folder: str | None = None
    """A folder in COCO layout; none for the embedded scenes."""
    size: int | None = None
    """Long side of the images in pixels; as they are by default (scenes: 64)."""
    skip_bad: bool = False
    """Leave damaged images and boxes out, and list them, instead of refusing the folder."""
    flip: bool = False
    """Flip training images left-right at random; wrong for letters. The embedded digits never are."""
    classes: int = 5
    """Embedded scenes: digits 0 to classes - 1 appear."""
    train: int = 1024
    """Embedded scenes in the training split."""
    val: int = 512
    """Embedded scenes in the validation split."""
    test: int = 512
    """Embedded scenes in the test split."""
    classification: str | None = None
    """An image-folder tree to pre-train on (`train/CLASS/*.jpg`); none for crops of the training boxes."""
    crop: int = 32
    """Side of the classification images in pixels."""

    def check(self) -> None:
        """Refuses a folder without a known layout and what the embedded scenes cannot be, before anything heavy is imported.

        Raises:
            UserError: the folder has no COCO layout, or there are no embedded scenes of this size.
        """
        if self.folder is not None:
            check_layout(Path(self.folder))
            return
        from common.data.scenes import STRIDE

        if self.size is not None and (self.size > LARGEST_SCENE or self.size % STRIDE):
            raise UserError(
                f"data.size={self.size}: embedded scenes have sides of at most {LARGEST_SCENE}; give --data FOLDER or "
                f"--set data.size=64, a multiple of {STRIDE}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class AloneSettings(RunSettings):
    """Settings of a system whose networks share no weights: each is trained alone, by the phases of `detection.phases.alone`."""

    data: DataSettings
    retrain_pretrain: PhaseSettings
    """Classification of single objects with a network's backbone, before it is trained to detect. A departure from the papers,
    which begin with weights of ImageNet."""
    retrain_detect: PhaseSettings
    """Detection, of candidates as of the networks that are compared."""
    label_smoothing: float = 0.0
    """Of the classification loss."""

    def __post_init__(self) -> None:
        """Checks what can be checked without data.

        Raises:
            UserError: an unknown budget, or a number out of range.
        """
        RunSettings.__post_init__(self)  # not super(): slots make the class anew
        self.check_costs(COSTS, "detector")
        check_trained({"retrain_detect": self.retrain_detect}, "detector")
