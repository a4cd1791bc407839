"""Training items as a detector sees them, with their boxes."""

from __future__ import annotations

from PIL import Image, ImageDraw

from detection.data.batches import batch_at
from detection.data.load import load_data
from detection.settings import DataSettings

COLOURS = ("#ff4136", "#2ecc40", "#0074d9", "#ffdc00", "#f012be", "#7fdbff", "#ff851b", "#b10dc9", "#01ff70", "#39cccc")
LEAST_SIDE = 192
"""Pictures are enlarged to this side, so that small ones can be seen."""


def preview(settings: DataSettings, count: int) -> list[tuple[Image.Image, str]]:
    """Pictures of a first batch on their canvas, mirrored or not as in training, with boxes and the names of their classes.

    Args:
        settings: of the data.
        count: most pictures.

    Raises:
        UserError: the data cannot be used.
    """
    data = load_data(settings)
    flip = settings.flip and settings.folder is not None  # a mirrored digit is another one
    batch = batch_at(data.train, 0, min(count, len(data.train)), 0, "preview", augment=flip)
    items = []
    zoom = max(1, LEAST_SIDE // max(data.canvas))
    for image, boxes, labels, sample in zip(batch.images, batch.boxes, batch.labels, batch.samples, strict=True):
        picture = Image.fromarray(image.permute(1, 2, 0).contiguous().numpy())
        picture = picture.resize((picture.width * zoom, picture.height * zoom), Image.Resampling.NEAREST)
        pen = ImageDraw.Draw(picture)
        for box, label in zip(boxes.tolist(), labels.tolist(), strict=True):
            x1, y1, x2, y2 = (value * zoom for value in box)
            colour = COLOURS[label % len(COLOURS)]
            pen.rectangle((x1, y1, max(x1, x2 - 1), max(y1, y2 - 1)), outline=colour)
            pen.text((x1 + 3, y1 + 1), data.classes[label], fill=colour)
        items.append((picture, sample.file.rsplit("/", 1)[-1]))
    return items
