"""From splits to batches: a training batch is a pure function of (seed, name, step), so a resumed run sees the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float32, UInt8
from torch import Tensor

from common.data.order import positions_at
from common.errors import UserError
from common.streams import numpy_stream
from gan.data.images import Images
from gan.data.translation import Split

Batch = tuple[Tensor, Tensor]
"""Inputs and targets: float32 from -1 to 1, shape (n, 3, size, size) each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """What is done to training pictures: pix2pix's jitter (P. Isola et al., CVPR 2017, 6.2), which CycleGAN shares.

    Attributes:
        size: side in pixels of the square that is cut out.
        load: side that pictures are resized to first, at least `size`; pix2pix takes 286 for 256. No jitter if both are equal.
        flip: mirror left to right with probability 1/2; wrong for digits and letters.
    """

    size: int
    load: int
    flip: bool

    def __post_init__(self) -> None:
        """Refuse what cannot be done."""
        if not 1 <= self.size <= self.load:
            raise UserError(f"size={self.size}, load={self.load}: pictures of side load are cut to size: 1 <= size <= load")


def batch_at(
    split: Split, step: int, batch: int, seed: int, name: str, augmentation: Augmentation, paired: bool
) -> tuple[Float32[Tensor, "n 3 s s"], Float32[Tensor, "n 3 s s"]]:
    """Inputs and targets of one training step, from -1 to 1.

    Steps walk through one random order per epoch, each picture once; a batch may straddle two epochs, so every batch is full.
    The two pictures of a pair are cut and mirrored alike. Unpaired, each domain has its own order, cuts and mirrors, and the
    shorter one simply starts its next epoch earlier.

    Args:
        split: to draw from.
        step: counted from 0.
        batch: pictures per domain, at least 1.
        seed: of the run.
        name: of the stage: stages see different orders.
        augmentation: of each picture.
        paired: item i of the inputs belongs to item i of the targets.
    """
    # The same names and the same length are the same order, cuts and mirrors.
    walks = ("pairs", "pairs") if paired else ("inputs", "targets")
    domains = (split.inputs, split.targets)
    x, y = (
        _walked(images, step, batch, seed, (name, split.name, walk), augmentation)
        for images, walk in zip(domains, walks, strict=True)
    )
    return x, y


def ordered(images: Images, size: int, batch: int) -> Iterator[Float32[Tensor, "n 3 size size"]]:
    """Every picture once, in order, from -1 to 1, resized to `size` and neither cut nor mirrored, for evaluation.

    Args:
        images: to walk through.
        size: side in pixels.
        batch: pictures at a time, at least 1; the last batch may be smaller.
    """
    for start in range(0, len(images), batch):
        stop = min(start + batch, len(images))
        yield to_float(torch.stack([images.at(index, size) for index in range(start, stop)]))


def to_float(pixels: UInt8[Tensor, "*shape"]) -> Float32[Tensor, "*shape"]:
    """Pixels of 0 to 255 as numbers from -1 to 1, what generators take and give."""
    return pixels.to(torch.float32) / 127.5 - 1.0


def to_uint8(values: Float32[Tensor, "*shape"]) -> UInt8[Tensor, "*shape"]:
    """Numbers from -1 to 1 as pixels of 0 to 255, rounded; what lies beyond is clamped."""
    return ((values + 1.0) * 127.5).round().clamp(0, 255).to(torch.uint8)


def _walked(
    images: Images, step: int, batch: int, seed: int, names: tuple[str, ...], augmentation: Augmentation
) -> Float32[Tensor, "n 3 s s"]:
    size, room = augmentation.size, augmentation.load - augmentation.size
    cuts = []
    for place, index in enumerate(positions_at(len(images), step, batch, seed, *names).tolist()):
        rng = numpy_stream(seed, *names, "augment", step, place)
        y, x = (int(at) for at in rng.integers(room + 1, size=2))
        cut = images.at(index, augmentation.load)[:, y : y + size, x : x + size]
        cuts.append(cut.flip(-1) if augmentation.flip and rng.random() < 0.5 else cut)
    return to_float(torch.stack(cuts))
