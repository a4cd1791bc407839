"""Pictures and annotations read from files: whole, as displayed, and with a reason where they cannot be used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps

from common.data.pictures import Unusable, displayed_size, opened

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_INDEX_MODES = ("1", "L", "P", "I", "I;16")  # one number per pixel


class NotIndices(Unusable):
    """The file is a good picture, but not one of class indices."""


def picture_size(file: Path) -> tuple[int, int]:
    """Width and height as displayed, from the file's header alone.

    Raises:
        Unusable: the file is missing, empty, or no picture.
    """
    with opened(file) as image:
        # Pillow decodes a PNG to look for an orientation, which PNG files practically never have.
        return image.size if image.format == "PNG" else displayed_size(image)


def read_picture(file: Path, limit: int | None) -> NDArray[np.uint8]:
    """The picture as displayed, RGB, shape (h, w, 3); reduced (bilinear, antialiased) to a long side of `limit` if longer.

    Raises:
        Unusable: the file is missing, empty, damaged, or no picture.
    """
    with opened(file) as image:
        rgb = (image if image.format == "PNG" else ImageOps.exif_transpose(image)).convert("RGB")
    size = reduced(rgb.size, limit)
    return np.array(rgb if size == rgb.size else rgb.resize(size, Image.Resampling.BILINEAR))


def read_values(file: Path) -> NDArray[np.integer]:
    """The values of an annotation as they stand in the file (palette indices, not colours), shape (h, w).

    Raises:
        NotIndices: the picture has several numbers per pixel, or fractions.
        Unusable: the file is missing, empty, damaged, or no picture.
    """
    with opened(file) as image:
        mode = image.mode
        values = np.array(image)
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
