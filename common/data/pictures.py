"""The reader of picture files of every data set: files by their endings, opened or refused with a reason, in threads."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from PIL import Image

from common.errors import UserError

Item = TypeVar("Item")
Result = TypeVar("Result")

DAMAGE = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, Image.DecompressionBombError)
"""What Pillow's decoders raise on damaged files, seen by cutting and flipping bytes of JPEG and PNG files."""
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
"""Endings of picture files, in lower case."""
VAL_IS_TEST = "the validation split also serves as the test split, so the test figures are of pictures the search has seen"
"""What the notes say, after the reason, where a data set has no test split of its own."""
ORIENTATION = 0x0112
"""EXIF's entry that says how a picture is turned; from 5 on it lies on its side."""


class Unusable(Exception):
    """A picture cannot be used. The message says why, without the name of the file: `missing`, `damaged: ...`."""


def of_user(file: Path, read: Callable[[], Result]) -> Result:
    """What `read` makes of an image file that a user names.

    Raises:
        UserError: the file is missing or is not an image.
    """
    try:
        return read()
    except Unusable as error:
        raise UserError(f"{file}: {error}; give an image file") from None


@contextmanager
def opened(stored: Path | bytes) -> Iterator[Image.Image]:
    """The picture of a file, or of its bytes: the header is read, pixels are decoded when the block asks for them.

    The picture is as stored: `displayed_size` and `PIL.ImageOps.exif_transpose` turn it as EXIF says.

    Raises:
        Unusable: there is no such file, it is empty or no picture, or it is damaged where the block decodes it.
    """
    if isinstance(stored, Path) and not stored.is_file():
        raise Unusable("missing")
    if not (stored.stat().st_size if isinstance(stored, Path) else len(stored)):
        raise Unusable("empty file")
    try:
        with Image.open(stored if isinstance(stored, Path) else io.BytesIO(stored)) as image:
            yield image
    except Image.UnidentifiedImageError:
        raise Unusable("not an image") from None
    except DAMAGE as error:
        raise Unusable(f"damaged: {str(error).splitlines()[0] if str(error) else type(error).__name__}") from None


def displayed_size(image: Image.Image) -> tuple[int, int]:
    """Width and height of an opened picture as displayed: with EXIF orientations 5 to 8 it lies on its side."""
    width, height = image.size
    return (height, width) if image.getexif().get(ORIENTATION, 1) >= 5 else (width, height)


def picture_files(files: Iterable[Path]) -> list[Path]:
    """Those of `files` that are pictures by their endings, sorted; hidden files are none."""
    return sorted(file for file in files if file.suffix.lower() in SUFFIXES and not file.name.startswith(".") and file.is_file())


def in_threads(work: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """`work` of every item, in order (Pillow releases the interpreter's lock while it decodes)."""
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        return list(pool.map(work, items))
