"""Checks of image files, quick enough to run over a whole folder before a search starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image

from common.data.pictures import DAMAGE, ORIENTATION, in_threads

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def damage(file: Path) -> tuple[str, tuple[int, int] | None]:
    """Why `file` cannot be used ("" if it can), and its width and height as far as known.

    The whole file is decoded; JPEG at an eighth of the size, which still meets every byte.
    """
    if not file.is_file():
        return "missing", None
    if file.stat().st_size == 0:
        return "empty file", None
    size = None
    try:
        with Image.open(file) as image:
            width, height = image.size
            # As displayed, which is how readers see it: EXIF orientations 5 to 8 lie on their side.
            size = (height, width) if image.getexif().get(ORIENTATION, 1) >= 5 else (width, height)
            image.draft("RGB", (max(1, width // 8), max(1, height // 8)))
            image.load()
    except DAMAGE as error:
        return ("damaged: " + str(error).split("\n")[0]) if size else "not an image", size
    return "", size


def damages(files: Iterable[Path]) -> list[tuple[str, tuple[int, int] | None]]:
    """`damage` of every file, in order, decoded in parallel threads (Pillow releases the interpreter's lock)."""
    return in_threads(damage, files)
