"""A small data folder of every task, in the field's layout."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from common.streams import numpy_stream
from common.system import task_packages

SIDE = 40
PATCH = 96
"""Side of the training patches of super-resolution, in pixels."""


def picture(file: Path, seed: int, side: int = SIDE) -> None:
    """Noise as a PNG file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(numpy_stream(seed, "noise").integers(0, 256, (side, side, 3), dtype=np.uint8)).save(file)


def classification(root: Path) -> None:
    for number, split in enumerate(("train", "val", "test")):
        for label in range(2):
            for item in range(3):
                picture(root / split / "ab"[label] / f"{item}.png", number * 6 + label * 3 + item)


def detection(root: Path) -> None:
    for number, split in enumerate(("train", "val", "test")):
        images, boxes = [], []
        for item in range(2):
            picture(root / "images" / split / f"{split}{item}.png", number * 2 + item)
            images.append({"id": item + 1, "file_name": f"{split}/{split}{item}.png", "width": SIDE, "height": SIDE})
            box = [4.0 + item, 4, 20, 16]
            note = {"image_id": item + 1, "bbox": box, "area": 320, "iscrowd": 0}
            boxes += [{**note, "id": 2 * item + k, "category_id": k} for k in (1, 2)]
        (root / "annotations").mkdir(exist_ok=True)
        coco = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]}
        (root / "annotations" / f"instances_{split}.json").write_text(json.dumps(coco))


def segmentation(root: Path) -> None:
    for number, split in enumerate(("train", "val", "test")):
        for item in range(2):
            picture(root / split / f"{item}.png", number * 2 + item)
            values = np.zeros((SIDE, SIDE), dtype=np.uint8)
            values[item + 3 :], values[:2] = 1, 255
            (root / f"{split}annot").mkdir(exist_ok=True)
            Image.fromarray(values).save(root / f"{split}annot" / f"{item}.png")
    (root / "classes.txt").write_text("a\nb\n")


def gan(root: Path) -> None:
    for number, split in enumerate(("train", "test")):
        for side, letter in enumerate("AB"):
            for item in range(5):
                picture(root / letter / split / f"{item}.png", number * 10 + side * 5 + item)


def superres(root: Path) -> None:
    """Pictures as large as a training patch."""
    for number, (place, count) in enumerate((("T91", 5), ("Set5", 2))):
        for item in range(count):
            picture(root / place / f"{item}.png", number * 10 + item, PATCH)


def graphs(root: Path) -> None:
    """A ring of twelve nodes of two classes."""
    root.mkdir(exist_ok=True)
    start = np.arange(12)
    pairs = np.stack([start, (start + 1) % 12])
    masks = {f"{split}_mask": start // 4 == number for number, split in enumerate(("train", "val", "test"))}
    edges = np.concatenate([pairs, pairs[::-1]], 1)
    np.savez(root / "mine.npz", x=np.eye(12, dtype=np.float32), edge_index=edges, y=start % 2, **masks)


def other_pixel(file: Path) -> None:
    """The picture with one pixel changed."""
    pixels = np.asarray(Image.open(file)).copy()
    pixels[-1, -1] = 255 - pixels[-1, -1]
    Image.fromarray(pixels).save(file)


def other_box(file: Path) -> None:
    file.write_text(file.read_text().replace("4.0", "5.0", 1))


def other_value(file: Path) -> None:
    """The annotation with two pixels exchanged: as many pixels of each class as before."""
    pixels = np.asarray(Image.open(file)).copy()
    pixels[2, 0], pixels[5, 0] = pixels[5, 0], pixels[2, 0]
    Image.fromarray(pixels).save(file)


def other_array(key: str, at: Any, value: float) -> Callable[[Path], None]:
    def change(file: Path) -> None:
        with np.load(file) as stored:
            arrays = dict(stored)
        arrays[key][at] = value
        np.savez(file, **arrays)

    return change


def exchanged(file: Path) -> None:
    """Two pictures of two classes in each other's place."""
    other = file.parents[1] / "b" / file.name
    first, second = file.read_bytes(), other.read_bytes()
    file.write_bytes(second)
    other.write_bytes(first)


def other_class(file: Path) -> None:
    """The last picture of a class becomes the first of the next one: the pictures keep their order."""
    file.rename(file.parents[1] / "b" / "!.png")


@dataclass(frozen=True, kw_only=True)
class Case:
    """A task's folder.

    Attributes:
        make: writes it.
        changes: file below it -> what changes its content, a picture and a label at least.
        options: of the command line besides the folder.
        side: of its pictures, in pixels.
    """

    make: Callable[[Path], None]
    changes: tuple[tuple[str, Callable[[Path], None]], ...]
    options: tuple[str, ...] = ()
    side: int = SIDE


ALL = {
    "classification": Case(
        make=classification,
        changes=(("test/a/1.png", other_pixel), ("train/a/0.png", exchanged), ("train/a/2.png", other_class)),
    ),
    "detection": Case(
        make=detection,
        changes=(("images/val/val1.png", other_pixel), ("annotations/instances_test.json", other_box)),
    ),
    "segmentation": Case(make=segmentation, changes=(("test/1.png", other_pixel), ("trainannot/0.png", other_value))),
    "gan": Case(make=gan, changes=(("B/test/1.png", other_pixel), ("A/train/4.png", other_pixel))),
    "superres": Case(make=superres, changes=(("Set5/1.png", other_pixel), ("T91/4.png", other_pixel)), side=PATCH),
    "graphs": Case(
        make=graphs,
        changes=(
            ("mine.npz", other_array("x", (3, 3), 2.0)),
            ("mine.npz", other_array("y", 9, 0)),
            ("mine.npz", other_array("train_mask", 0, 0)),
        ),
        options=("--name", "mine.npz"),
    ),
}

ALL["binary"] = ALL["classification"]  # its data
CASES = {task: case for task, case in ALL.items() if task in task_packages()}
"""Those of the tasks that list systems."""
