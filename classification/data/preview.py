"""Training items as a classifier sees them, with their classes."""

from __future__ import annotations

import torch
from PIL import Image

from classification.data.batches import Augment, batch_at
from classification.data.load import load_data
from classification.settings import DataSettings

LEAST_SIDE = 96
"""Pictures are enlarged to this side, so that small ones can be seen."""


def preview(settings: DataSettings, count: int) -> list[tuple[Image.Image, str]]:
    """Pictures of a first batch, shifted by at most an eighth of their side and mirrored or not, and the names of their classes.

    Args:
        settings: of the data.
        count: most pictures.

    Raises:
        UserError: the data cannot be used.
    """
    data = load_data(settings)
    augment = Augment(padding=data.image_size // 8, flip=settings.flip)
    images, labels = batch_at(data.train, 0, min(count, len(data.train)), 0, "preview", augment)
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (data.scale.mean, data.scale.std))
    pixels = (images * std + mean).mul(255).round().clamp(0, 255).to(torch.uint8)
    zoom = max(1, -(-LEAST_SIDE // data.image_size))
    items = []
    for image, label in zip(pixels, labels.tolist(), strict=True):
        picture = Image.fromarray(image.permute(1, 2, 0).contiguous().numpy())
        side = data.image_size * zoom
        items.append((picture.resize((side, side), Image.Resampling.NEAREST), data.classes[label]))
    return items
