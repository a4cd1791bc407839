"""Training items as a segmentor sees them, beside their labels."""

from __future__ import annotations

from PIL import Image

from segmentation.data.batches import Augmentation, batch_at
from segmentation.data.load import load_data
from segmentation.pictures import coloured, framed, seen
from segmentation.settings import DataSettings


def preview(settings: DataSettings, count: int) -> list[tuple[Image.Image, str]]:
    """Windows of a first batch, scaled, cut and mirrored as in training, beside the colours of their classes, with a legend.

    Args:
        settings: of the data.
        count: most pictures.

    Raises:
        UserError: the data cannot be used, or the crop is larger than the pictures.
    """
    data = load_data(settings)
    augmentation = Augmentation(crop=settings.crop, scale=settings.scale, flip=settings.flip and data.flip)
    batch = batch_at(data.train, 0, min(count, len(data.train)), 0, "preview", augmentation)
    items = []
    for image, labels, file in zip(batch.images, batch.labels, batch.files, strict=True):
        own = labels.numpy()
        panels = [Image.fromarray(image.permute(1, 2, 0).contiguous().numpy()), coloured(own, data.palette)]
        items.append((framed(panels, seen((own,), data.classes, data.palette)), file.rsplit("/", 1)[-1]))
    return items
