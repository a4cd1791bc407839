"""Picture files: what is in them as displayed, and the low-resolution picture that a network is given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from common.data.pictures import Conversion, conversion
from common.data.reader import as_rgb, opened


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A high-resolution picture of a data set.

    Attributes:
        path: the file.
        file: its path below the data set.
        place: the folder of its set, or "" if pictures lie right in the data set.
        group: the benchmark that it belongs to, or "".
    """

    path: Path
    file: str
    place: str = ""
    group: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """What a file shows.

    Attributes:
        rgb: the picture; see `common.data.reader.as_rgb`.
        grey: the file holds one brightness per pixel, no colours.
        conversion: what reading it as RGB changed.
    """

    rgb: Image.Image
    grey: bool
    conversion: Conversion


@dataclass(frozen=True, slots=True)
class Pair:
    """A picture at two resolutions.

    Attributes:
        low: what a network is given, RGB.
        high: what it should make of it, RGB, `scale` times as high and as wide.
    """

    low: UInt8[np.ndarray, "3 h w"]
    high: UInt8[np.ndarray, "3 sh sw"]

    @property
    def nbytes(self) -> int:
        """Memory of both, in bytes."""
        return self.low.nbytes + self.high.nbytes


def decoded(path: Path) -> Decoded:
    """Everything the file shows, fully decoded.

    Raises:
        Unusable: the file is missing, empty, damaged, no picture, or of pixels without a range.
    """
    with opened(path) as image:
        grey = image.mode in ("1", "L", "LA") or image.mode.startswith("I")
        changed = conversion(image)
        return Decoded(rgb=as_rgb(image), grey=grey, conversion=changed)


def pair_of(rgb: Image.Image, scale: int) -> Pair:
    """A picture and the low-resolution one made from it.

    The high-resolution picture loses the right columns and lower rows beyond a multiple of `scale`, as in the field. Pillow's
    bicubic reduction widens its kernel by `scale` (antialiasing), as Matlab's `imresize` does, by which benchmarks are made.

    Args:
        rgb: the picture, at least `scale` pixels a side.
        scale: between the two.
    """
    width, height = (side // scale for side in rgb.size)
    high = rgb.crop((0, 0, width * scale, height * scale))
    low = high.resize((width, height), Image.Resampling.BICUBIC)
    return Pair(_planes(low), _planes(high))


def _planes(image: Image.Image) -> UInt8[np.ndarray, "3 h w"]:
    return np.asarray(image).transpose(2, 0, 1).copy()
