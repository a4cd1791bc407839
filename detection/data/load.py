"""The data of a run, as its settings name them. No torch here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from common.data.pictures import picture_files
from common.errors import UserError
from detection.data.coco import coco_folder
from detection.data.embedded import embedded
from detection.data.samples import Data
from detection.settings import DataSettings

LARGEST_SCENE = 288
"""Side of the largest embedded scenes in pixels."""


def load_data(settings: DataSettings) -> Data:
    """The data of a run.

    Raises:
        UserError: the folder cannot be used.
    """
    if settings.classification is not None and not (Path(settings.classification) / "train").is_dir():
        raise UserError(
            f"data.classification={settings.classification}: it has no folder train/; give one with train/CLASS/*.jpg"
        )
    if settings.folder is not None:
        found = coco_folder(Path(settings.folder), settings.size, settings.skip_bad)
        return replace(found, pretraining=_pretraining(settings))
    size = settings.size or 64
    if size > LARGEST_SCENE:
        raise UserError(
            f"data.size={size}: embedded scenes have sides of at most {LARGEST_SCENE}; give --data FOLDER or --set data.size=64"
        )
    return replace(_scenes(settings, size), pretraining=_pretraining(settings))


def _scenes(settings: DataSettings, size: int) -> Data:
    return embedded(
        classes=settings.classes,
        size=size,
        train=settings.train,
        val=settings.val,
        test=settings.test,
        digits_per_scene=(1, 2) if size <= 64 else (1, 4),
    )


def _pretraining(settings: DataSettings) -> tuple[Path, ...]:
    """The files that backbones are pre-trained on, if not on crops of the boxes."""
    if settings.classification is None:
        return ()
    return tuple(picture_files((Path(settings.classification) / "train").rglob("*")))
