"""Pictures of what a segmentation network found beside what is there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Integer
from PIL import Image, ImageDraw

from segmentation.data import IGNORE, Sample, Split
from segmentation.data.labels import Colour

LEAST_SIDE = 192
"""Panels are enlarged to this side, so that small pictures can be seen."""
GAP = 6
"""Pixels between panels."""
LINE = 18
"""Height of a line of the legend."""


def draw_predictions(
    split: Split, found: Sequence[Integer[np.ndarray, "h w"]], palette: Sequence[Colour], folder: Path
) -> list[dict[str, str]]:
    """Writes one PNG per sample: the picture, its true classes and those found, with a legend. Ignored pixels are black.

    Args:
        split: the samples to draw.
        found: the class of each pixel, for each sample.
        palette: colour of each class.
        folder: where to; made if needed.

    Returns:
        Rows of `file` (name in `folder`) and `caption`, in the order of the samples.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for i, (sample, labels) in enumerate(zip(split, found, strict=False)):
        true = sample.labels.numpy()
        panels = [image_of(sample), coloured(true, palette), coloured(labels, palette)]
        framed(panels, seen((true, labels), split.classes, palette)).save(folder / f"{i}.png")
        scored = true != IGNORE
        right = f"{(labels == true)[scored].mean():.0%} of the pixels right" if scored.any() else "no pixel is scored"
        rows.append({"file": f"{i}.png", "caption": f"{Path(sample.file).name}: picture, truth, found; {right}"})
    return rows


def image_of(sample: Sample) -> Image.Image:
    """The picture of a sample."""
    return Image.fromarray(sample.image.permute(1, 2, 0).contiguous().numpy())


def coloured(labels: Integer[np.ndarray, "h w"], palette: Sequence[Colour]) -> Image.Image:
    """Labels in the colours of their classes; 255 in black."""
    table = np.zeros((256, 3), dtype=np.uint8)
    table[: len(palette)] = palette
    table[IGNORE] = 0
    return Image.fromarray(table[labels])


def seen(
    maps: Sequence[Integer[np.ndarray, "h w"]], classes: Sequence[str], palette: Sequence[Colour]
) -> list[tuple[str, Colour]]:
    """Name and colour of every class that one of several label maps has, in the order of the classes."""
    there = {int(label) for labels in maps for label in np.unique(labels)} - {IGNORE}
    return [(classes[label], palette[label]) for label in sorted(there)]


def framed(panels: Sequence[Image.Image], legend: Sequence[tuple[str, Colour]]) -> Image.Image:
    """Panels of one size side by side, enlarged, and a legend below."""
    zoom = max(1, -(-LEAST_SIDE // max(panels[0].size)))
    width, height = (zoom * side for side in panels[0].size)
    whole_width = len(panels) * (width + GAP) - GAP
    pen = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    places: list[tuple[float, int]] = []
    x, line = 0.0, 0
    for name, _ in legend:
        wide = pen.textlength(name) + 26
        if x and x + wide > whole_width:
            x, line = 0.0, line + 1
        places.append((x, line))
        x += wide
    whole = Image.new("RGB", (whole_width, height + (GAP + LINE * (line + 1) if legend else 0)), "#ffffff")
    for i, panel in enumerate(panels):
        whole.paste(panel.resize((width, height), Image.Resampling.NEAREST), (i * (width + GAP), 0))
    pen = ImageDraw.Draw(whole)
    for (name, colour), (x, line) in zip(legend, places, strict=True):
        y = height + GAP + LINE * line
        pen.rectangle((x, y + 2, x + 12, y + 14), fill=colour, outline="#666666")
        pen.text((x + 17, y + 2), name, fill="#222222")
    return whole
