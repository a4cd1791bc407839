"""Training items as networks see them: low-resolution patches, enlarged, beside the high-resolution ones."""

from __future__ import annotations

from PIL import Image
from torch import Tensor

from superres.data.batches import batch_at
from superres.data.load import load_data
from superres.settings import DataSettings

GAP = 6
"""Pixels between the two patches."""


def preview(settings: DataSettings, count: int) -> list[tuple[Image.Image, str]]:
    """Patches of a first batch: the low-resolution one, its pixels as squares, beside the high-resolution one.

    Args:
        settings: of the data.
        count: most patches.

    Raises:
        UserError: the data cannot be used.
    """
    data = load_data(settings)
    batch = min(count, len(data.train))
    lows, highs = batch_at(data.train, 0, batch, 0, "preview", settings.patch, settings.flip)
    return [(_beside(low, high), f"low (1/{settings.scale}), high") for low, high in zip(lows, highs, strict=True)]


def _beside(low: Tensor, high: Tensor) -> Image.Image:
    right = _image(high)
    left = _image(low).resize(right.size, Image.Resampling.NEAREST)
    whole = Image.new("RGB", (2 * right.width + GAP, right.height), "white")
    whole.paste(left, (0, 0))
    whole.paste(right, (right.width + GAP, 0))
    return whole


def _image(patch: Tensor) -> Image.Image:
    return Image.fromarray(patch.byte().permute(1, 2, 0).contiguous().numpy())
