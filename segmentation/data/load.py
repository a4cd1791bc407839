"""The data of a run, as its settings name them. No torch here."""

from __future__ import annotations

from pathlib import Path

from common.errors import UserError
from segmentation.data.embedded import embedded
from segmentation.data.folders import folder
from segmentation.data.samples import SegmentationData
from segmentation.settings import DataSettings

MULTIPLE = 32
"""Sides of embedded scenes are multiples of this many pixels."""


def load_data(settings: DataSettings) -> SegmentationData:
    """The data of a run.

    Raises:
        UserError: the folder cannot be used, or no scenes can be made as asked.
    """
    if settings.folder is not None:
        return folder(Path(settings.folder), settings.size, settings.skip_bad)
    size = settings.size or max(64, -(-max(settings.crop) // MULTIPLE) * MULTIPLE)
    if size > 300:
        raise UserError(
            f"embedded scenes of {size} pixels: 288 are the most; give --data FOLDER, or --set data.crop=[64,64] data.size=64"
        )
    return embedded(
        classes=settings.classes,
        size=size,
        train=settings.train,
        val=settings.val,
        test=settings.test,
        digits_per_scene=(1, 2) if size <= 64 else (1, 4),
    )
