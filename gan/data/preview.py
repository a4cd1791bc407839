"""Training items as generators and discriminators see them: inputs beside targets."""

from __future__ import annotations

from PIL import Image

from gan.data.batches import Augmentation, batch_at
from gan.data.load import load_data
from gan.pictures import LEAST_SIDE, image_of, strip
from gan.settings import DataSettings


def preview(settings: DataSettings, count: int) -> list[tuple[Image.Image, str]]:
    """Inputs of a first batch beside their targets, or, without pairs, beside any targets; cut and mirrored as in training.

    Args:
        settings: of the data.
        count: most pictures of each domain.

    Raises:
        UserError: the data cannot be used.
    """
    data = load_data(settings)
    mirrored = settings.flip and (settings.folder is not None or settings.embedded != "digits")  # a mirrored digit is another one
    augmentation = Augmentation(size=settings.size, load=settings.load, flip=mirrored)
    batch = min(count, len(data.train.inputs))
    inputs, targets = batch_at(data.train, 0, batch, 0, "preview", augmentation, data.paired)
    said = "input, target" if data.paired else "an input, a target"
    return [(strip([image_of(x, LEAST_SIDE), image_of(y, LEAST_SIDE)]), said) for x, y in zip(inputs, targets, strict=True)]
