"""Picture files: which there are, and what is in them, as displayed, or why it cannot be used."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PIL import Image

from common.data.folder import walk
from common.data.pictures import Conversion, conversion
from common.data.reader import as_rgb, opened


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
        rgb: the picture; see `common.data.reader.as_rgb`.
        grey: the file holds one brightness per pixel, no colours.
        conversion: what reading it as RGB changed.
    """

    rgb: Image.Image
    grey: bool
    conversion: Conversion


def decoded(path: Path) -> Decoded:
    """Everything the file shows, fully decoded.

    Raises:
        Unusable: the file is missing, empty, damaged, no picture, or of pixels without a range.
    """
    with opened(path) as image:
        grey = image.mode in ("1", "L", "LA") or image.mode.startswith("I")
        changed = conversion(image)
        return Decoded(rgb=as_rgb(image), grey=grey, conversion=changed)


def pictures(folder: Path) -> list[Path]:
    """The picture files in `folder`, sorted by name; see `common.data.folder.walk`."""
    return list(walk(folder, folder, deep=False).pictures)
