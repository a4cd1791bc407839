"""From splits to batches: a training batch is a pure function of (seed, name, step), so a resumed run sees the same."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from common.data.order import positions_at
from common.errors import UserError
from common.streams import numpy_stream
from superres.data.splits import Split

Batch = tuple[Tensor, Tensor]
"""Low- and high-resolution patches: float32 from 0 to 255, shapes (n, 3, p, p) and (n, 3, scale * p, scale * p)."""


def batch_at(
    split: Split, step: int, batch: int, seed: int, name: str, patch: int, flip: bool
) -> tuple[Float32[Tensor, "n 3 p p"], Float32[Tensor, "n 3 sp sp"]]:
    """Patches of one training step at both resolutions.

    Steps walk through one random order per epoch, each picture once; a batch may straddle two epochs, so every batch is full.
    One patch is cut out of each picture, at a place drawn uniformly: the low-resolution patch at a whole pixel, the
    high-resolution one at the same place. With `flip` both are mirrored and turned alike, by one of the eight symmetries of a
    square, each equally likely.

    Args:
        split: to draw from.
        step: counted from 0.
        batch: patches, at least 1.
        seed: of the run.
        name: of the stage: stages see different orders and patches.
        patch: side of the high-resolution patches, in pixels; a multiple of the split's scale.
        flip: mirror and turn patches.

    Raises:
        UserError: the patch is no multiple of the scale, or larger than a picture.
    """
    scale = split.scale
    if patch < scale or patch % scale:
        raise UserError(f"patch={patch}: low-resolution patches are {scale} times smaller; give a multiple of {scale}")
    side = patch // scale
    indices = positions_at(len(split), step, batch, seed, name, split.name).tolist()
    pairs = [split.read(index) for index in indices]
    room = np.array([pair.low.shape[1:] for pair in pairs]) - side
    if (room < 0).any():
        first = indices[int((room < 0).any(axis=1).argmax())]
        high = split.read(first).high
        size = f"{high.shape[2]}x{high.shape[1]}"
        raise UserError(f"patch={patch}: {split.files[first]} is {size} (a multiple of {scale}); give a smaller patch")
    rng = numpy_stream(seed, name, split.name, "patches", step)
    corners = rng.integers(room + 1).tolist()
    symmetries = rng.integers(8 if flip else 1, size=batch).tolist()
    lows = np.empty((batch, 3, side, side), dtype=np.uint8)
    highs = np.empty((batch, 3, patch, patch), dtype=np.uint8)
    for place, (pair, (y, x), symmetry) in enumerate(zip(pairs, corners, symmetries, strict=True)):
        lows[place] = _moved(pair.low[:, y : y + side, x : x + side], symmetry)
        y, x = y * scale, x * scale
        highs[place] = _moved(pair.high[:, y : y + patch, x : x + patch], symmetry)
    return torch.from_numpy(lows).float(), torch.from_numpy(highs).float()


def _moved(pixels: np.ndarray, symmetry: int) -> np.ndarray:
    """A square (3, side, side) under one of the eight symmetries, as a view; 0 leaves it as it is."""
    if symmetry & 1:
        pixels = pixels[:, :, ::-1]
    if symmetry & 2:
        pixels = pixels[:, ::-1]
    return pixels.transpose(0, 2, 1) if symmetry & 4 else pixels
