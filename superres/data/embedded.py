"""Data that need no download: parts of the photographs inside scikit-image."""

from __future__ import annotations

from pathlib import Path

from common.data.photographs import FILES, photographs
from common.errors import UserError
from superres.data.files import pair_of
from superres.data.splits import InMemory, Split, SuperResData

SHARES = {"train": (0.0, 0.6), "val": (0.6, 0.8), "test": (0.8, 1.0)}
"""Split -> where its part of a photograph begins and ends, as shares of the width."""
_NOTE = (
    "pictures are 13 photographs (scikit-image): train takes the left 60 % of each, val the next 20 %, test the rest; "
    "low-resolution pictures are made from these parts"
)


def embedded(*, scale: int, val: int | None) -> SuperResData:
    """Each photograph cut into three parts, so that no pixel is in two splits; a part is one picture of its split.

    Args:
        scale: how many times higher and wider the high-resolution pictures are.
        val: pictures of the validation split, its first ones; all 13 by default.

    Raises:
        UserError: `val` is more than there are.
    """
    if val is not None and val > len(FILES):
        raise UserError(f"data.val={val}: there are {len(FILES)} embedded photographs; give at most {len(FILES)}")
    made = {name: _split(name, scale) for name in SHARES}
    return SuperResData(
        name="embedded photographs",
        scale=scale,
        train=made["train"],
        val=made["val"] if val is None else made["val"].head(val),
        test=made["test"],
        notes=(_NOTE,),
    )


def _split(name: str, scale: int) -> Split:
    first, last = SHARES[name]
    parts = [
        # Cut first: a reduction takes in pixels beyond a box, and those are another split's.
        photo.crop((round(first * photo.width), 0, round(last * photo.width), photo.height))
        for photo in photographs()
    ]
    return Split(
        name=name,
        scale=scale,
        files=tuple(f"{name}/{Path(file).stem}.png" for file in FILES),
        groups=("",) * len(FILES),
        read=InMemory(tuple(pair_of(part, scale) for part in parts)),
    )
