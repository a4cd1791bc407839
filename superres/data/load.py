"""The data of a run, as its settings name them. No torch here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from common.errors import UserError
from superres.data.embedded import embedded
from superres.data.folders import folder
from superres.data.splits import SuperResData
from superres.settings import DataSettings


def load_data(settings: DataSettings) -> SuperResData:
    """The data of a run.

    Raises:
        UserError: the folder cannot be used, the embedded photographs do not fit the settings, or there are fewer pictures than
            these ask for.
    """
    settings.check()
    chosen = settings
    if chosen.folder is None:
        data = embedded(scale=chosen.scale, val=chosen.val)
    else:
        data = folder(Path(chosen.folder), scale=chosen.scale, patch=chosen.patch, val=chosen.val, skip_bad=chosen.skip_bad)
    count = len(data.test)
    if chosen.test is None or chosen.test == count:
        return data
    if chosen.test > count:
        raise UserError(f"data.test={chosen.test}: {data.name} has {count} test pictures; give at most {count}")
    note = f"networks are tested on the first {chosen.test} of {count} test pictures"
    return replace(data, test=data.test.head(chosen.test), notes=(*data.notes, note))
