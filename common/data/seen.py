"""What picture files are: their sizes and modes, and the mean and the deviation of their channels. No torch here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from common.data.pictures import displayed_size, in_threads
from common.data.reader import Unusable, as_rgb, opened

MEASURED = 500
"""Most training pictures whose channels are measured, evenly spaced."""
LISTED = 8
"""Most sizes and modes that are listed; the others are counted."""


def seen(files: Mapping[str, Sequence[Path]]) -> dict[str, Any]:
    """Sizes (width x height, as displayed) and modes with their counts, of each split; channels of the training pictures.

    Args:
        files: split -> its picture files. A file that was damaged since it was checked is left out.
    """
    found: dict[str, Any] = {}
    for split, members in files.items():
        each = list(dict.fromkeys(members))
        headers = [header for header in in_threads(_header, each) if header is not None]
        sizes, modes = (Counter(values) for values in zip(*headers, strict=True)) if headers else (Counter(), Counter())
        found[split] = {"files": len(each), "sizes": _most(sizes), "modes": _most(modes)}
    return {**found, **_channels(list(dict.fromkeys(files.get("train", ()))))}


def _header(file: Path) -> tuple[str, str] | None:
    try:
        with opened(file) as image:
            width, height = displayed_size(image)
            return f"{width}x{height}", image.mode
    except Unusable:
        return None


def _most(counts: Counter[str]) -> dict[str, int]:
    listed = dict(counts.most_common(LISTED))
    rest = counts.total() - sum(listed.values())
    return listed | ({"others": rest} if rest else {})


def _channels(files: Sequence[Path]) -> dict[str, Any]:
    """Mean and standard deviation of red, green and blue, 0 to 1, over all pixels of the pictures."""
    chosen = [files[place] for place in np.linspace(0, len(files) - 1, min(MEASURED, len(files))).round().astype(int)]
    sums = [part for part in in_threads(_sums, chosen) if part is not None]
    if not sums:
        return {}
    total = np.sum(sums, axis=0)
    mean = total[1] / total[0]
    deviation = np.sqrt(np.maximum(total[2] / total[0] - mean**2, 0))
    return {"mean": (mean / 255).round(4).tolist(), "deviation": (deviation / 255).round(4).tolist(), "measured": len(sums)}


def _sums(file: Path) -> np.ndarray | None:
    """Number of pixels, sums and sums of squares of each channel, shape (3, 3)."""
    try:
        with opened(file) as image:
            pixels = np.asarray(as_rgb(image)).reshape(-1, 3).astype(np.float64)
    except Unusable:
        return None
    return np.stack([np.full(3, len(pixels)), pixels.sum(0), np.square(pixels).sum(0)])
