"""Pictures and annotations read from files: whole, as displayed, and with a reason where they cannot be used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps

from common.data.pictures import Conversion, conversion, displayed_size
from common.data.reader import Unusable, check_mode, opened, read_rgb

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_INDEX_MODES = ("1", "L", "P", "I", "I;16")  # one number per pixel


class NotIndices(Unusable):
    """The file is a good picture, but not one of class indices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What the header of a picture's file says.

    Attributes:
        size: width and height as displayed.
        turned: it is displayed on its side, as its EXIF orientation says.
        conversion: what reading it as RGB changes.
    """

    size: tuple[int, int]
    turned: bool
    conversion: Conversion


def header(file: Path) -> Header:
    """What the file's header says.

    Raises:
        Unusable: the file is missing, empty, no picture, or of pixels without a range.
    """
    with opened(file) as image:
        check_mode(image.mode)
        changed = conversion(image)
        # Pillow decodes a PNG to look for an orientation, which few PNG files have.
        plain = image.format == "PNG" and not _says_more(file)
        size = image.size if plain else displayed_size(image)
        return Header(size=size, turned=size != image.size, conversion=changed)


def _says_more(file: Path) -> bool:
    """Whether a PNG file has a chunk that may hold an orientation; only the chunks' names and lengths are read."""
    with file.open("rb") as stored:
        stored.seek(8)
        while len(start := stored.read(8)) == 8 and start[4:] != b"IEND":
            if start[4:] in (b"eXIf", b"tEXt", b"zTXt", b"iTXt"):
                return True
            stored.seek(int.from_bytes(start[:4], "big") + 4, 1)
    return False


def read_picture(file: Path, limit: int | None) -> NDArray[np.uint8]:
    """The picture as displayed, RGB, shape (h, w, 3); reduced (bilinear, antialiased) to a long side of `limit` if longer.

    Raises:
        Unusable: the file is missing, empty, damaged, no picture, or of pixels without a range.
    """
    rgb = read_rgb(file)
    size = reduced(rgb.size, limit)
    return np.array(rgb if size == rgb.size else rgb.resize(size, Image.Resampling.BILINEAR))


def read_values(file: Path) -> NDArray[np.integer]:
    """The values of an annotation as they stand in the file (palette indices, not colours), as displayed, shape (h, w).

    Raises:
        NotIndices: the picture has several numbers per pixel, or fractions.
        Unusable: the file is missing, empty, damaged, or no picture.
    """
    with opened(file) as image:
        mode = image.mode
        values = np.array(ImageOps.exif_transpose(image))
    if mode not in _INDEX_MODES:
        raise NotIndices(f"holds colours (mode {mode}), yet annotations hold one class index per pixel (modes L or P)")
    return values.astype(np.uint8) if values.dtype == bool else values


def counts(values: NDArray[np.integer]) -> dict[int, int]:
    """Pixels per value."""
    if values.dtype == np.uint8:
        number = np.bincount(values.ravel())
        return {int(value): int(number[value]) for value in np.flatnonzero(number)}
    found, number = np.unique(values, return_counts=True)
    return {int(value): int(count) for value, count in zip(found, number, strict=True)}


def reduce_values(values: NDArray[np.uint8], limit: int | None) -> NDArray[np.uint8]:
    """The annotation at the size `read_picture` gives its picture, by the nearest pixel."""
    height, width = values.shape
    size = reduced((width, height), limit)
    if size == (width, height):
        return values
    return np.array(Image.fromarray(values).resize(size, Image.Resampling.NEAREST))


def reduced(size: tuple[int, int], limit: int | None) -> tuple[int, int]:
    """Width and height scaled so that the longer is at most `limit`; never enlarged."""
    factor = 1.0 if limit is None else min(1.0, limit / max(size))
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))
