"""Picture files: which there are, and what is in them, as displayed, or why it cannot be used."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PIL import Image, ImageOps

from common.data.pictures import DAMAGE, picture_files

_MODES = ("L", "P", "RGB", "CMYK")  # 8 bits per channel, converted to RGB without loss or guess


class Unusable(Exception):
    """The file cannot be used; the message says why and follows the file's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture of a data set: a whole file, or one half of a file that shows both domains side by side.

    Attributes:
        path: the file.
        root: the data set, which messages name files below.
        half: which part of the file, or "" if all of it.
    """

    path: Path
    root: Path
    half: Literal["", "left", "right"] = ""

    @property
    def file(self) -> str:
        """The file's path below the data set."""
        return self.path.relative_to(self.root).as_posix()

    @property
    def name(self) -> str:
        """The file's path below the data set, and the half."""
        return f"{self.file} ({self.half} half)" if self.half else self.file

    def cut(self, whole: Image.Image) -> Image.Image:
        """The picture, out of what the file shows; the middle column of an odd width belongs to neither half."""
        width, height = whole.size
        if not self.half:
            return whole
        return whole.crop((0, 0, width // 2, height) if self.half == "left" else (width - width // 2, 0, width, height))


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """What a file shows.

    Attributes:
        rgb: the picture as displayed (turned as its EXIF orientation says).
        grey: the file holds one brightness per pixel, no colours.
    """

    rgb: Image.Image
    grey: bool


def decoded(path: Path) -> Decoded:
    """Everything the file shows, fully decoded.

    Raises:
        Unusable: the file is missing, empty, damaged or no picture, or its colours cannot be known from it.
    """
    if not path.is_file():
        raise Unusable("is missing")
    if path.stat().st_size == 0:
        raise Unusable("is an empty file")
    try:
        with Image.open(path) as image:
            mode, see_through = image.mode, image.has_transparency_data
            # Before anything is decoded: a picture of another mode may be large, and its pixels are of no use.
            if mode in _MODES and not see_through:
                return Decoded(rgb=ImageOps.exif_transpose(image).convert("RGB"), grey=mode == "L")
    except Image.UnidentifiedImageError:
        raise Unusable("is not an image") from None
    except DAMAGE as error:
        raise Unusable("is damaged: " + (str(error).split("\n")[0] or type(error).__name__)) from None
    if see_through:
        raise Unusable(f"has an alpha channel (mode {mode}), and what lies behind it is unknown: flatten it")
    raise Unusable(f"has mode {mode}, yet pictures must be of 8 bits, grey, palette, RGB or CMYK: convert it to RGB")


def pictures(folder: Path) -> list[Path]:
    """The picture files in `folder`, sorted by name; hidden files are none."""
    return picture_files(folder.iterdir())
