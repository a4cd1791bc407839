"""What reading pictures of any data set takes: the errors of damaged files, and threads."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from PIL import Image

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


def picture_files(files: Iterable[Path]) -> list[Path]:
    """Those of `files` that are pictures by their endings, sorted; hidden files are none."""
    return sorted(file for file in files if file.suffix.lower() in SUFFIXES and not file.name.startswith(".") and file.is_file())


def in_threads(work: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """`work` of every item, in order (Pillow releases the interpreter's lock while it decodes)."""
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        return list(pool.map(work, items))
