"""Pictures of what a detector found beside what is there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from PIL import Image, ImageDraw
from torch import Tensor
from torchvision.transforms.functional import to_pil_image

from detection.data import Split
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
        height, width = sample.original
        content = sample.image[:, : round(height * sample.scale[1]), : round(width * sample.scale[0])]
        zoom = max(1.0, LEAST_SIDE / max(content.shape[1:]))
        picture = to_pil_image(content)
        picture = picture.resize((round(picture.width * zoom), round(picture.height * zoom)), Image.Resampling.LANCZOS)
        draw = ImageDraw.Draw(picture)
        for box in (sample.boxes * zoom).tolist():
            draw.rectangle(box, outline="#ffffff", width=1)
        found = predictions[sample.image_id]
        shown = [j for j in range(len(found.scores)) if found.scores[j] >= threshold]
        factor = torch.tensor([*sample.scale, *sample.scale]) * zoom
        for j in shown:
            _draw_one(draw, found.boxes[j] * factor, split.classes[int(found.labels[j])], found, j)
        caption = f"{Path(sample.file).name}: {len(shown)} found, {len(sample.boxes)} there"
        picture.save(folder / f"{i}.png")
        rows.append({"file": f"{i}.png", "caption": caption})
    return rows


def _draw_one(draw: ImageDraw.ImageDraw, box: Tensor, name: str, found: Detections, j: int) -> None:
    colour = COLOURS[int(found.labels[j]) % len(COLOURS)]
    x1, y1, x2, y2 = box.tolist()
    draw.rectangle((x1, y1, x2, y2), outline=colour, width=2)
    text = f"{name} {float(found.scores[j]):.2f}"
    left, top, right, bottom = draw.textbbox((x1 + 2, max(0.0, y1 - 12)), text)
    draw.rectangle((left - 2, top - 1, right + 2, bottom + 1), fill=colour)
    draw.text((x1 + 2, max(0.0, y1 - 12)), text, fill="#ffffff")
