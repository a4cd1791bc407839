"""The data of a run, as its settings name them. No torch here."""

from __future__ import annotations

from pathlib import Path

from gan.data.embedded import embedded
from gan.data.folders import folder
from gan.data.translation import TranslationData
from gan.settings import DataSettings

EMBEDDED_VAL = 64
"""Embedded pictures in the validation split by default."""


def load_data(settings: DataSettings) -> TranslationData:
    """The data of a run.

    Raises:
        UserError: the folder cannot be used, or no pictures can be made as asked.
    """
    if settings.folder is not None:
        path, chosen = Path(settings.folder), settings
        return folder(path, size=chosen.size, val=chosen.val, direction=chosen.direction, skip_bad=chosen.skip_bad)
    val = EMBEDDED_VAL if settings.val is None else settings.val
    return embedded(settings.embedded, size=settings.size, train=settings.train, val=val, test=settings.test)
