"""Small valid data sets in each layout, and the means to break them."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from common.errors import UserError
from segmentation.data import SegmentationData, folder

SIZES = {"train": [(60, 40), (40, 60), (50, 50)], "val": [(60, 40), (60, 40)], "test": [(64, 48)]}  # width, height


def noise(width: int, height: int, seed: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8))


def annotation(width: int, height: int, values: list[int]) -> Image.Image:
    """Vertical stripes, one per value."""
    row = np.array(values, dtype=np.uint8)[np.arange(width) * len(values) // width]
    return Image.fromarray(np.tile(row, (height, 1)))


def save(image: Image.Image, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    image.save(file)


def make_split_folders(root: Path) -> Path:
    for number, (split, sizes) in enumerate(SIZES.items()):
        for i, (width, height) in enumerate(sizes):
            save(noise(width, height, 10 * number + i), root / split / f"{split}_{i}.jpg")
            save(annotation(width, height, [0, 1, 2, 3, 255]), root / f"{split}annot" / f"{split}_{i}.png")
    (root / "classes.txt").write_text("sky\nroad\ntree\nVoid\n")
    return root


def make_cityscapes(root: Path, kind: str = "labelIds") -> Path:
    values = list(range(34)) if kind == "labelIds" else [*range(19), 255]
    for number, (split, city) in enumerate((("train", "ulm"), ("train", "bonn"), ("val", "lindau"))):
        for i in range(2):
            save(noise(68, 34, 10 * number + i), root / "leftImg8bit" / split / city / f"{city}_{i}_leftImg8bit.png")
            save(annotation(68, 34, values), root / "gtFine" / split / city / f"{city}_{i}_gtFine_{kind}.png")
    return root


def make_voc(root: Path) -> Path:
    names = {"train": ["2007_1", "2007_2", "2007_3"], "val": ["2008_1"]}
    for i, name in enumerate(name for listed in names.values() for name in listed):
        save(noise(63, 40 + i, i), root / "JPEGImages" / f"{name}.jpg")
        indices = annotation(63, 40 + i, [*range(21), 255])
        indices.putpalette([channel for index in range(256) for channel in (index, 255 - index, 77)])
        save(indices, root / "SegmentationClass" / f"{name}.png")
    for split, listed in names.items():
        file = root / "ImageSets" / "Segmentation" / f"{split}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join(listed) + "\n")
    return root


def refused(root: Path, *parts: str, skip_bad: bool = False, size: int | None = None) -> str:
    with pytest.raises(UserError) as caught:
        folder(root, size, skip_bad)
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message
    return message


def skipping(root: Path, *parts: str) -> SegmentationData:
    """Refused with `parts`, and read when bad things are skipped, with `parts` in `skipped`."""
    refused(root, *parts, "--skip-bad")
    data = folder(root, skip_bad=True)
    for part in parts:
        assert any(part in line for line in data.skipped)
    return data


def remove(file: Path) -> None:
    shutil.rmtree(file) if file.is_dir() else file.unlink()
