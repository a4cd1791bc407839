"""What the readers of every data set of pictures share: files by their endings, what was converted, work in threads."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, TypeVar

from PIL import Image

from common.data.reader import ALPHA, ORIENTATION, Unusable, deep
from common.errors import UserError

# Pillow warns of pictures above half of the size that it refuses; they are read like any other.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)

Item = TypeVar("Item")
Result = TypeVar("Result")

VAL_IS_TEST = "the validation split also serves as the test split, so the test figures are of pictures the search has seen"
"""What the notes say, after the reason, where a data set has no test split of its own."""


def of_user(file: Path, read: Callable[[], Result]) -> Result:
    """What `read` makes of an image file that a user names.

    Raises:
        UserError: the file is missing or is not an image.
    """
    try:
        return read()
    except Unusable as error:
        raise UserError(f"{file}: {error}; give an image file") from None


Conversion = Literal["", "16-bit grey", "16-bit colours", "alpha"]
"""What `as_rgb` changes of a picture's values, besides its colour space."""
_TOLD = {
    "16-bit grey": "are 16-bit grey: their values are divided by 257, to 0 to 255",
    "16-bit colours": "have 16 bits for a colour: the upper eight are used, 0 to 255",
    "alpha": "have an alpha channel: it is dropped, the colours beneath it are used",
}


def conversion(image: Image.Image) -> Conversion:
    """What reading the opened picture as RGB changes of its values; to be asked before its pixels are decoded."""
    if image.mode.startswith("I"):
        return "16-bit grey"
    if image.mode in ALPHA or "transparency" in image.info:
        return "alpha"
    return "16-bit colours" if deep(image) else ""


def conversion_notes(of: str, conversions: Iterable[Conversion]) -> list[str]:
    """A note for each kind of conversion that happened.

    Args:
        of: what the pictures belong to, "train" say.
        conversions: one for each picture.
    """
    counts: Counter[str] = Counter(conversions)
    return [f"{counts[kind]:,} of {counts.total():,} pictures of {of} {told}" for kind, told in _TOLD.items() if counts[kind]]


def displayed_size(image: Image.Image) -> tuple[int, int]:
    """Width and height of an opened picture as displayed: with EXIF orientations 5 to 8 it lies on its side."""
    width, height = image.size
    return (height, width) if image.getexif().get(ORIENTATION) in (5, 6, 7, 8) else (width, height)


def in_threads(work: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """`work` of every item, in order (Pillow releases the interpreter's lock while it decodes)."""
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        return list(pool.map(work, items))
