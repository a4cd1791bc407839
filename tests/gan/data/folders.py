"""Small valid data sets in each layout, and the means to break them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from common.errors import UserError
from gan.data import TranslationData, folder
from gan.data.folders import Direction

COUNTS = {"train": 8, "test": 3}


def noise(seed: int, width: int = 24, height: int = 20) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8))


def save(image: Image.Image, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    image.save(file)


def fill(folder: Path, count: int, seed: int, first: int = 0) -> None:
    for i in range(count):
        save(noise(1000 * seed + i), folder / f"{first + i}.png")


def make_cyclegan(root: Path, counts: dict[str, int] = COUNTS) -> Path:
    """Domain B has a picture more in every split."""
    for number, (split, count) in enumerate(counts.items()):
        fill(root / f"{split}A", count, 2 * number)
        fill(root / f"{split}B", count + 1, 2 * number + 1, first=100)
    return root


def make_ab(root: Path, counts: dict[str, int] = COUNTS) -> Path:
    for number, (split, count) in enumerate(counts.items()):
        fill(root / "A" / split, count, 2 * number)
        fill(root / "B" / split, count, 2 * number + 1)
    return root


def make_subfolders(root: Path, counts: dict[str, int] = COUNTS) -> Path:
    for number, (split, count) in enumerate(counts.items()):
        fill(root / split / "photo", count, 2 * number)
        fill(root / split / "label", count, 2 * number + 1)
    return root


def make_side_by_side(root: Path, counts: dict[str, int] = COUNTS) -> Path:
    for number, (split, count) in enumerate(counts.items()):
        for i in range(count):
            save(noise(1000 * number + i, width=48), root / split / f"{i}.png")
    return root


MAKERS = (make_cyclegan, make_ab, make_subfolders, make_side_by_side)


def read(
    root: Path, size: int = 16, val: int | None = None, direction: Direction = "AtoB", skip_bad: bool = False
) -> TranslationData:
    return folder(root, size=size, val=val, direction=direction, skip_bad=skip_bad)


def refused(root: Path, *parts: str, **options) -> str:
    with pytest.raises(UserError) as caught:
        read(root, **options)
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message
    return message


def skipping(root: Path, *parts: str) -> TranslationData:
    """Refused with `parts`, and read when bad things are skipped, with `parts` in `skipped`."""
    refused(root, *parts, "--skip-bad")
    data = read(root, skip_bad=True)
    for part in parts:
        assert any(part in line for line in data.skipped)
    return data
