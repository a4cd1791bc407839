"""The data of a run, as its settings name them. No torch here."""

from __future__ import annotations

from pathlib import Path

from common.data.scenes import digits_within
from segmentation.data.embedded import embedded
from segmentation.data.folders import folder
from segmentation.data.samples import SegmentationData
from segmentation.settings import DataSettings


def load_data(settings: DataSettings) -> SegmentationData:
    """The data of a run.

    Raises:
        UserError: the folder cannot be used, or no scenes can be made as asked.
    """
    if settings.folder is not None:
        return folder(Path(settings.folder), settings.size, settings.skip_bad)
    settings.check()
    size = settings.scene
    return embedded(
        classes=settings.classes,
        size=size,
        train=settings.train,
        val=settings.val,
        test=settings.test,
        digits_per_scene=digits_within(size),
    )
