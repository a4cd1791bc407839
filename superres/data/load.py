"""The data of a run, as its settings name them. No torch here."""

from __future__ import annotations

from pathlib import Path

from superres.data.embedded import embedded
from superres.data.folders import folder
from superres.data.splits import SuperResData
from superres.settings import DataSettings


def load_data(settings: DataSettings) -> SuperResData:
    """The data of a run.

    Raises:
        UserError: the folder cannot be used, or the embedded photographs do not fit the settings.
    """
    settings.check()
    if settings.folder is None:
        return embedded(scale=settings.scale, val=settings.val)
    chosen = settings
    return folder(Path(settings.folder), scale=chosen.scale, patch=chosen.patch, val=chosen.val, skip_bad=chosen.skip_bad)
