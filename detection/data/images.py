"""Checks of image files, quick enough to run over a whole folder before a search starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from common.data.pictures import Unusable, displayed_size, in_threads, opened

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def damage(file: Path) -> tuple[str, tuple[int, int] | None]:
    """Why `file` cannot be used ("" if it can), and its width and height as far as known.

    The whole file is decoded; JPEG at an eighth of the size, which still meets every byte.
    """
    size = None
    try:
        with opened(file) as image:
            size = displayed_size(image)  # which is how readers see it
            image.draft("RGB", (max(1, image.width // 8), max(1, image.height // 8)))
            image.load()
    except Unusable as error:
        return str(error), size
    return "", size


def damages(files: Iterable[Path]) -> list[tuple[str, tuple[int, int] | None]]:
    """`damage` of every file, in order, decoded in parallel threads (Pillow releases the interpreter's lock)."""
    return in_threads(damage, files)
