"""What is put on a backbone to segment with it, as plain data; `segmentation.mm.segmentor` builds it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeHead:
    """A 1x1 projection of each map, enlarged to the finest and joined, and a 1x1 classifier: mmsegmentation's `SegformerHead`.

    [R] DCNAS's head reads the maps of the last layer at all strides; how it joins them is not public.
    """

    channels: int = 256
    """Of each projection, and of the joined map."""
    dropout: float = 0.1
    """Probability that a channel is dropped before the classifier, in training."""
    mean: tuple[float, float, float] = (123.675, 116.28, 103.53)
    """Subtracted from RGB pixels, on the scale 0..255."""
    std: tuple[float, float, float] = (58.395, 57.12, 57.375)
    """Pixels are divided by it, on the scale 0..255."""
