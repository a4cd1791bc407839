"""Pictures of what a classifier says beside what is there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw
from torch import Tensor
from torchvision.transforms.functional import to_pil_image

from classification.data import Split

LEAST_SIDE = 192
"""Pictures are enlarged to this side, so that small ones can be seen."""
RIGHT, WRONG = "#2e7d32", "#c62828"
"""Frames of images whose class was found, and of others."""


def draw_predictions(split: Split, found: Float[Tensor, "n k"], folder: Path) -> list[dict[str, str]]:
    """Writes one PNG per image of `split`, framed green where its class was found and red elsewhere.

    Args:
        split: the images to draw.
        found: probability of every class, one row per image.
        folder: where to; made if needed.

    Returns:
        Rows of `file` (name in `folder`) and `caption`, in the order of the images.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    images = split.images(torch.arange(len(split)))
    for i, (image, label) in enumerate(zip(images, split.labels.tolist(), strict=True)):
        score, best = found[i].max(0)
        name, true = split.classes[int(best)], split.classes[label]
        draw(image, RIGHT if name == true else WRONG).save(folder / f"{i}.png")
        said = f"{name} ({float(score):.2f})"
        rows.append({"file": f"{i}.png", "caption": f"{said}, true" if name == true else f"{said}, but it is {true}"})
    return rows


def draw(image: UInt8[Tensor, "3 h w"], colour: str, lines: Sequence[str] = ()) -> Image.Image:
    """An image, enlarged, in a frame of `colour`, with `lines` of text below it."""
    picture = to_pil_image(image)
    zoom = max(1, -(-LEAST_SIDE // max(picture.size)))
    picture = picture.resize((picture.width * zoom, picture.height * zoom), Image.Resampling.NEAREST)
    framed = Image.new("RGB", (picture.width + 8, picture.height + 8 + 14 * len(lines)), colour)
    framed.paste(picture, (4, 4))
    pen = ImageDraw.Draw(framed)
    for i, line in enumerate(lines):
        pen.text((4, picture.height + 6 + 14 * i), line, fill="#ffffff")
    return framed
