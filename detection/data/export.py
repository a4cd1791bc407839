"""Samples as files: a COCO folder of any data set."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from PIL import Image

from common.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from detection.data.samples import Data


def write_coco(data: Data, folder: Path) -> None:
    """Write the embedded data as a COCO folder (PNG images), for other programs or as an example of the layout.

    Raises:
        UserError: the folder exists and is not empty, or the samples are not in original pixels.
    """
    if folder.exists() and any(folder.iterdir()):
        raise UserError(f"{folder} is not empty: give a new folder")
    (folder / "annotations").mkdir(parents=True)
    for split in (data.train, data.val, data.test):
        for sample, entry in zip(split, split.coco["images"], strict=True):
            if sample.scale != (1.0, 1.0):
                raise UserError(f"{sample.file} was scaled to the canvas: copy the folder {data.name} instead")
            file = folder / "images" / entry["file_name"]
            file.parent.mkdir(parents=True, exist_ok=True)
            height, width = sample.original
            Image.fromarray(sample.image[:, :height, :width].permute(1, 2, 0).numpy()).save(file)
        (folder / "annotations" / f"instances_{split.name}.json").write_text(json.dumps(split.coco), encoding="utf-8")
