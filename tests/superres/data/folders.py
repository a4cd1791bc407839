"""Small valid data sets in each layout, and the means to break them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from common.errors import UserError
from superres.data import SuperResData, folder

SETS = {"T91": 20, "Set5": 3, "Set14": 2}


def noise(seed: int, width: int = 40, height: int = 36) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8))


def save(image: Image.Image, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    image.save(file)


def fill(place: Path, count: int, seed: int = 0) -> Path:
    for i in range(count):
        save(noise(1000 * seed + i), place / f"{i:02d}.png")
    return place


def make(root: Path, sets: Mapping[str, int] = SETS) -> Path:
    for number, (name, count) in enumerate(sets.items()):
        fill(root / name, count, number)
    return root


def read(root: Path, scale: int = 2, patch: int = 24, val: int | None = None, skip_bad: bool = False) -> SuperResData:
    return folder(root, scale=scale, patch=patch, val=val, skip_bad=skip_bad)


def refused(root: Path, *parts: str, **options) -> str:
    with pytest.raises(UserError) as caught:
        read(root, **options)
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message
    return message


def skipping(root: Path, *parts: str) -> SuperResData:
    """Refused with `parts`, and read when bad things are skipped, with `parts` in `skipped`."""
    refused(root, *parts, "--skip-bad")
    data = read(root, skip_bad=True)
    for part in parts:
        assert any(part in line for line in data.skipped)
    return data


def counts(data: SuperResData) -> tuple[int, ...]:
    return tuple(len(split) for split in data.splits)
