"""From splits to batches: a training batch is a pure function of (seed, name, step), so a resumed run sees the same.

Batches are plain (images, labels) tuples: images normalised float32, labels int64.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from torch import Tensor

from classification.data.splits import Split
from common.data.order import positions_at
from common.errors import UserError
from common.streams import numpy_stream

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True, kw_only=True)
class Augment:
    """How training pictures are varied, in the order and manner of DARTS' public code (Liu et al. 2019, appendix A.1).

    Attributes:
        padding: black pixels around the picture, out of which a window of its size is cut at random; 0 to leave it whole.
            4 suits 32 pixels; an eighth of the side is the same shift for other sizes.
        flip: mirror left-right with probability 1/2, in splits that allow it (`Split.mirrored`).
        cutout: side of a square of mean colour (zeros after normalisation) around a random pixel, cut at the border (DeVries
            and Taylor 2017); 0 for none. DARTS: none to search, 16 of 32 pixels to train what was found.
    """

    padding: int = 4
    flip: bool = True
    cutout: int = 0

    def __post_init__(self) -> None:
        """Refuse lengths below zero."""
        for name, value in (("padding", self.padding), ("cutout", self.cutout)):
            if value < 0:
                raise UserError(f"{name}={value}: pixels must be at least 0; 0 switches it off")


def batch_at(
    split: Split, step: int, batch_size: int, seed: int, name: str, augment: Augment | None = None
) -> tuple[Float[Tensor, "n 3 size size"], Int64[Tensor, "n"]]:
    """The training batch of one step: images and labels.

    Steps walk through one random order of the split per epoch, each picture once; a batch may straddle two epochs, so every
    batch is full. Draws do not depend on which augmentations are on: switching cutout on moves no crop.

    Args:
        split: to draw from.
        step: counted from 0.
        batch_size: images, at least 1.
        seed: of the run.
        name: of the stage: stages see different orders.
        augment: how pictures are varied; None for not at all.

    Raises:
        UserError: an image file cannot be read.
    """
    positions = torch.from_numpy(positions_at(len(split), step, batch_size, seed, name))
    images, labels = split.images(positions), split.labels[positions]
    if augment is None:
        return split.scale(images), labels
    draws = numpy_stream(seed, name, "augment", step).random((batch_size, 5))
    moved = _moved(images, draws, augment.padding, augment.flip and split.mirrored)
    scaled = split.scale(moved)
    return (_cut_out(scaled, draws[:, 3:], augment.cutout) if augment.cutout else scaled), labels


def ordered(split: Split, batch_size: int) -> Iterator[tuple[Float[Tensor, "n 3 size size"], Int64[Tensor, "n"]]]:
    """Every picture once, in order and unvaried, for evaluation; the last batch may be smaller.

    Args:
        split: to go through.
        batch_size: images, at least 1.

    Yields:
        Images and labels.
    """
    for positions in torch.arange(len(split)).split(batch_size):
        yield split.scale(split.images(positions)), split.labels[positions]


def _moved(
    images: UInt8[Tensor, "n 3 size size"], draws: NDArray[np.float64], padding: int, flip: bool
) -> UInt8[Tensor, "n 3 size size"]:
    """Random windows of the padded pictures, some mirrored; numpy copies windows of bytes several times faster than torch."""
    size = images.shape[-1]
    pixels = images.numpy()
    if padding:
        tops, lefts = (draws[:, :2] * (2 * padding + 1)).astype(np.int64).T
        padded = np.zeros((*pixels.shape[:2], size + 2 * padding, size + 2 * padding), dtype=np.uint8)
        padded[:, :, padding:-padding, padding:-padding] = pixels
        pixels = sliding_window_view(padded, (size, size), axis=(2, 3))[np.arange(len(pixels)), :, tops, lefts]
    if flip:
        mirrored = np.flatnonzero(draws[:, 2] < 0.5)
        pixels[mirrored] = pixels[mirrored, :, :, ::-1]
    return torch.from_numpy(pixels)


def _cut_out(images: Float[Tensor, "n 3 size size"], draws: NDArray[np.float64], length: int) -> Float[Tensor, "n 3 size size"]:
    """Zeros in a square around a random pixel: length // 2 pixels before it and as many from it on."""
    size = images.shape[-1]
    centres = (draws * size).astype(np.int64)[:, :, None]
    line = np.arange(size)
    inside = (line >= centres - length // 2) & (line < centres + length // 2)
    kept = ~(inside[:, 0, :, None] & inside[:, 1, None, :])
    return images.mul_(torch.from_numpy(kept.astype(np.float32))[:, None])
