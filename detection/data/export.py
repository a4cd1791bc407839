"""Samples as files: a COCO folder of any data set, and a picture of what the samples look like."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

from common.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from detection.data.samples import Data, Split

_COLOURS = ("#ff4136", "#2ecc40", "#0074d9", "#ffdc00", "#f012be", "#7fdbff", "#ff851b", "#b10dc9", "#01ff70", "#39cccc")


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


def preview(split: Split, columns: int = 8, rows: int = 4) -> Image.Image:
    """The first samples with their true boxes, small ones enlarged, in a grid."""
    zoom = max(1, 192 // max(split.canvas))
    height, width = (side * zoom for side in split.canvas)
    sheet = Image.new("RGB", (columns * width, rows * height))
    for position, sample in enumerate(split[: columns * rows]):
        tile = Image.fromarray(sample.image.permute(1, 2, 0).numpy()).resize((width, height), Image.Resampling.NEAREST)
        draw = ImageDraw.Draw(tile)
        for box, label in zip(sample.boxes.tolist(), sample.labels.tolist(), strict=True):
            colour = _COLOURS[label % len(_COLOURS)]
            x1, y1, x2, y2 = (value * zoom for value in box)
            draw.rectangle((x1, y1, max(x1, x2 - 1), max(y1, y2 - 1)), outline=colour)
            draw.text((x1 + 3, y1 + 1), split.classes[label], fill=colour)
        sheet.paste(tile, (position % columns * width, position // columns * height))
    return sheet
