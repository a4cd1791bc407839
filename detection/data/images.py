"""Checks of image files, quick enough to run over a whole folder before a search starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from common.data.pictures import Conversion, conversion, displayed_size, in_threads
from common.data.reader import Unusable, as_rgb, opened

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


MISSING = "missing"
"""The fault of a file that is not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What decoding a file found.

    Attributes:
        fault: why it cannot be used, or an empty string.
        size: width and height as displayed, as far as known.
        turned: it is displayed on its side, as its EXIF orientation says.
        conversion: what reading it as RGB changes.
    """

    fault: str = ""
    size: tuple[int, int] | None = None
    turned: bool = False
    conversion: Conversion = ""


def checked(file: Path) -> Checked:
    """What decoding the whole file finds; JPEG at an eighth of the size, which still meets every byte."""
    size, turned, converted = None, False, ""
    try:
        with opened(file) as image:
            converted, size = conversion(image), displayed_size(image)
            turned = image.width != image.height and size != image.size
            image.draft("RGB", (max(1, image.width // 8), max(1, image.height // 8)))
            as_rgb(image)
    except Unusable as error:
        return Checked(fault=str(error), size=size)
    return Checked(size=size, turned=turned, conversion=converted)


def all_checked(files: Iterable[Path]) -> list[Checked]:
    """`checked` of every file, in order, decoded in parallel threads (Pillow releases the interpreter's lock)."""
    return in_threads(checked, files)
