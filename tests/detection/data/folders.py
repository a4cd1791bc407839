"""A small valid COCO folder, and the means to break it."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from common.errors import UserError
from detection.data import coco_folder

SIZES = {"train": [(60, 40), (40, 60), (50, 50)], "val": [(60, 40)], "test": [(64, 48)]}


class Folder:
    """A COCO folder on disk and the means to break it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "annotations").mkdir(parents=True)
        (path / "images").mkdir()
        for number, (split, sizes) in enumerate(SIZES.items()):
            images, notes = [], []
            for i, (width, height) in enumerate(sizes):
                name = f"{split}_{i}.jpg"
                noise = np.random.default_rng(10 * number + i).integers(0, 255, (height, width, 3), dtype=np.uint8)
                Image.fromarray(noise).save(path / "images" / name)
                images.append({"id": 10 + i, "file_name": name, "width": width, "height": height})
                for category in (7, 3):
                    note = {"id": len(notes) + 1, "image_id": 10 + i, "category_id": category, "iscrowd": 0}
                    notes.append({**note, "bbox": [4 + category, 5, 20, 10.5], "area": 210.0})
            categories = [{"id": 7, "name": "cat"}, {"id": 3, "name": "dog"}]
            self.write(split, {"images": images, "annotations": notes, "categories": categories})

    def json(self, split: str) -> Path:
        return self.path / "annotations" / f"instances_{split}.json"

    def write(self, split: str, value: object) -> None:
        self.json(split).write_text(json.dumps(value))

    def edit(self, split: str, change) -> None:
        value = json.loads(self.json(split).read_text())
        change(value)
        self.write(split, value)

    def image(self, name: str) -> Path:
        return self.path / "images" / name


def refused(folder: Folder, *parts: str, skip_bad: bool = False) -> str:
    with pytest.raises(UserError) as caught:
        coco_folder(folder.path, skip_bad=skip_bad)
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message
    return message
