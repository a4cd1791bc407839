"""The data of a run, as its settings name them. No torch here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from common.data.folder import walk
from common.data.scenes import digits_within
from common.errors import UserError
from detection.data.background import free_squares
from detection.data.coco import coco_folder
from detection.data.embedded import embedded
from detection.data.samples import Data
from detection.settings import DataSettings

ONE_CLASS = (
    "there is one class: where backbones are pre-trained on crops of the training boxes, crops of the background are the second "
    "class"
)
ONE_CLASS_ALONE = (
    "there is one class, and no background beside its boxes: backbones are not pre-trained on crops of the training boxes, which "
    "would teach nothing; data.classification gives images of several classes"
)


def load_data(settings: DataSettings) -> Data:
    """The data of a run.

    Raises:
        UserError: the folder cannot be used.
    """
    if settings.classification is not None and not (Path(settings.classification) / "train").is_dir():
        raise UserError(
            f"data.classification={settings.classification}: it has no folder train/; give one with train/CLASS/*.jpg"
        )
    data = replace(_read(settings), pretraining=_pretraining(settings))
    if len(data.classes) > 1 or settings.classification is not None:
        return data
    return replace(data, notes=(*data.notes, ONE_CLASS if free_squares(data.train) else ONE_CLASS_ALONE))


def _read(settings: DataSettings) -> Data:
    if settings.folder is not None:
        return coco_folder(Path(settings.folder), settings.size, settings.skip_bad)
    settings.check()
    size = settings.size or 64
    return embedded(
        classes=settings.classes,
        size=size,
        train=settings.train,
        val=settings.val,
        test=settings.test,
        digits_per_scene=digits_within(size),
    )


def _pretraining(settings: DataSettings) -> tuple[Path, ...]:
    """The files that backbones are pre-trained on, if not on crops of the boxes."""
    if settings.classification is None:
        return ()
    train = Path(settings.classification) / "train"
    return walk(train, train).pictures
