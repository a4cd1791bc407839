"""The data of a run, as its settings name them. No torch here."""

from __future__ import annotations

from pathlib import Path

from classification.data.embedded import embedded
from classification.data.folders import classification_folder
from classification.data.splits import ClassificationData
from classification.settings import DataSettings


def load_data(settings: DataSettings) -> ClassificationData:
    """The data of a run.

    Raises:
        UserError: the folder cannot be used.
    """
    if settings.folder is None:
        return embedded(settings.size)
    folder = Path(settings.folder)
    return classification_folder(folder, size=settings.size, skip_bad=settings.skip_bad, mirrored=settings.flip)
