"""Kernels that numba compiles for the processor it runs on."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from binary.packed.processor import Sizes
from common.extras import imports_of

with imports_of("binary"):
    from numba import njit

    from binary.packed import counting

SPREAD = 0x0102040810204080
"""Times 8 bytes of 0 and 1, it has their bits in its highest byte."""


@njit(nogil=True, cache=True, error_model="numpy")
def _pack(x, shift, level, packed, padding, group_channels, groups, repeats, first, last):  # noqa: ANN001, ANN202
    """Packs rows of pixels: the bit of a value is 1 where `value + shift >= level`.

    Args:
        x: (n, h, w, channels) float32.
        shift: (channels,) float32.
        level: float32.
        packed: (n, h + 2 * padding, w + 2 * padding, bytes, packed groups) uint8; written.
        padding: (vertical, horizontal).
        group_channels: channels of a group.
        groups: number of groups.
        repeats: of each group in `packed`.
        first: of the n * h rows.
        last: one after the last of them.
    """
    _, height, width, channels = x.shape
    tap_bytes = packed.shape[3]
    side = tap_bytes * 8
    signs = np.zeros(groups * side, np.uint8)
    eights = signs.view(np.uint64)
    for row in range(first, last):
        image, y = row // height, row % height
        for column in range(width):
            values = x[image, y, column]
            there = packed[image, y + padding[0], column + padding[1]]
            if group_channels == 1:
                for c in range(channels):
                    bit = values[c] + shift[c] >= level
                    if repeats == 1:  # a loop of one round takes as long as all else
                        there[0, c] = bit
                    else:
                        there[0, c * repeats : (c + 1) * repeats] = bit
                continue
            for g in range(groups):
                for c in range(group_channels):
                    signs[g * side + c] = values[g * group_channels + c] + shift[g * group_channels + c] >= level
            for g in range(groups):
                for k in range(tap_bytes):
                    byte = np.uint8((eights[g * tap_bytes + k] * np.uint64(SPREAD)) >> np.uint64(56))
                    if repeats == 1:
                        there[k, g] = byte
                    else:
                        there[k, g * repeats : (g + 1) * repeats] = byte


def pack(
    x: Tensor,
    shift: Tensor,
    level: float,
    packed: Tensor,
    padding: tuple[int, int],
    group_channels: int,
    groups: int,
    repeats: int,
    first: int,
    last: int,
) -> None:
    """Packs rows `first` to `last` of the input; see `_pack`."""
    arrays = x.numpy(), shift.numpy(), np.float32(level), packed.numpy()
    _pack(*arrays, padding, group_channels, groups, repeats, first, last)


def convolve(
    packed: Tensor,
    lanes: Tensor,
    base: Tensor,
    corrections: Tensor,
    scale: float,
    out: Tensor,
    geometry: Sizes,
    first: int,
    last: int,
) -> None:
    """Computes output pixels `first` to `last`; see `binary.packed.counting.convolve`."""
    arrays = packed.numpy(), lanes.numpy(), base.numpy(), corrections.numpy(), np.float32(scale), out.numpy()
    counting.convolve(*arrays, geometry, first, last)
