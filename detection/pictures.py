"""Pictures of what a detector found beside what is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from PIL import Image, ImageDraw
from torch import Tensor
from torchvision.transforms.functional import to_pil_image

from detection.data import Sample, Split
from detection.detections import Detections

COLOURS = ("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#008080", "#b5651d", "#808000", "#000075", "#f032e6")
LEAST_SIDE = 256
"""Pictures are enlarged to this side, so that boxes on small scenes can be told apart."""


def draw_predictions(
    split: Split, predictions: Mapping[int, Detections], folder: Path, threshold: float = 0.4
) -> list[dict[str, str]]:
    """Writes one PNG per sample of `split`: true boxes in white, found ones in the colour of their class.

    Args:
        split: the samples to draw.
        predictions: image id -> detections in the pixels of the original images.
        folder: where to; made if needed.
        threshold: detections scored lower are not drawn.

    Returns:
        Rows of `file` (name in `folder`) and `caption`, in the order of the samples.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for i, sample in enumerate(split):
        picture, shown = draw(sample, predictions[sample.image_id], split.classes, threshold)
        picture.save(folder / f"{i}.png")
        caption = f"{Path(sample.file).name}: {shown} found, {len(sample.boxes)} there"
        rows.append({"file": f"{i}.png", "caption": caption})
    return rows


def draw(sample: Sample, found: Detections, classes: Sequence[str], threshold: float = 0.4) -> tuple[Image.Image, int]:
    """A picture of one sample with its true boxes and the ones found, and how many of these are scored `threshold` or more.

    Args:
        sample: the sample; its picture is shown without the padding.
        found: detections in the pixels of the original image.
        classes: names of the labels.
        threshold: detections scored lower are not drawn.
    """
    height, width = sample.original
    content = sample.image[:, : round(height * sample.scale[1]), : round(width * sample.scale[0])]
    zoom = max(1.0, LEAST_SIDE / max(content.shape[1:]))
    picture = to_pil_image(content)
    picture = picture.resize((round(picture.width * zoom), round(picture.height * zoom)), Image.Resampling.LANCZOS)
    pen = ImageDraw.Draw(picture)
    for box in (sample.boxes * zoom).tolist():
        pen.rectangle(box, outline="#ffffff", width=1)
    shown = [j for j in range(len(found.scores)) if found.scores[j] >= threshold]
    factor = torch.tensor([*sample.scale, *sample.scale]) * zoom
    for j in shown:
        _draw_one(pen, found.boxes[j] * factor, classes[int(found.labels[j])], found, j)
    return picture, len(shown)


def _draw_one(pen: ImageDraw.ImageDraw, box: Tensor, name: str, found: Detections, j: int) -> None:
    colour = COLOURS[int(found.labels[j]) % len(COLOURS)]
    x1, y1, x2, y2 = box.tolist()
    pen.rectangle((x1, y1, x2, y2), outline=colour, width=2)
    text = f"{name} {float(found.scores[j]):.2f}"
    left, top, right, bottom = pen.textbbox((x1 + 2, max(0.0, y1 - 12)), text)
    pen.rectangle((left - 2, top - 1, right + 2, bottom + 1), fill=colour)
    pen.text((x1 + 2, max(0.0, y1 - 12)), text, fill="#ffffff")
