"""Kernels that numba compiles for the processor it runs on."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from binary.packed.geometry import LANES
from binary.packed.processor import Sizes
from common.extras import imports_of

with imports_of("binary"):
    from numba import njit

    from binary.packed.vectors import differing_across, differing_within

TILE = 16
"""Output pixels whose rows are gathered at once; they stay in the first cache beside a block of weights."""
STEPS = 31
"""Bytes of a row that are counted in lanes of 8 bits: 31 * 8 = 248 differences fit."""
SEGMENT = 264 * STEPS
"""Bytes of a row that are counted in sums of 16 bits: 65,472 differences fit."""
index = np.uint64
"""Of arrays in loops: numba takes signed ones from the end where they are negative, and LLVM then makes no vectors."""
SPREAD = 0x0102040810204080
"""Times 8 bytes of 0 and 1, it has their bits in its highest byte."""


@njit(nogil=True, cache=True, error_model="numpy")
def _pack(x, shift, level, packed, padding, group_channels, groups, first, last):  # noqa: ANN001, ANN202
    """Packs rows of pixels: the bit of a value is 1 where `value + shift >= level`.

    Args:
        x: (n, h, w, channels) float32.
        shift: (channels,) float32.
        level: float32.
        packed: (n, h + 2 * padding, w + 2 * padding, bytes, packed groups) uint8; written.
        padding: (vertical, horizontal).
        group_channels: channels of a group.
        groups: number of groups.
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
                    there[0, c] = values[c] + shift[c] >= level
                continue
            for g in range(groups):
                for c in range(group_channels):
                    signs[g * side + c] = values[g * group_channels + c] + shift[g * group_channels + c] >= level
            for g in range(groups):
                for k in range(tap_bytes):
                    there[k, g] = (eights[g * tap_bytes + k] * np.uint64(SPREAD)) >> np.uint64(56)


@njit(nogil=True, error_model="numpy")
def _gather(packed, begin, size, groups, width, kernel, dilation, group_channels, rows, row):  # noqa: ANN001, ANN202
    """Collects what one output pixel reads.

    Args:
        packed: flat.
        begin: where the byte of the first tap lies in it.
        size: bytes of a packed pixel.
        groups: packed groups.
        width: pixels of a packed row.
        kernel, dilation, group_channels: see `Geometry`.
        rows: flat; written.
        row: where the bytes go, (bytes of a row, groups); 0 where bits of several taps share a byte.
    """
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            tap = i * kernel[1] + j
            there = begin + (i * dilation[0] * width + j * dilation[1]) * size
            if group_channels >= 8:
                for k in range(size):
                    rows[index(row + tap * size + k)] = packed[index(there + k)]
                continue
            here, up = row + tap * group_channels // 8 * groups, tap * group_channels % 8
            for g in range(groups):
                rows[index(here + g)] |= packed[index(there + g)] << np.uint8(up)
            if up + group_channels > 8:
                for g in range(groups):
                    rows[index(here + groups + g)] |= packed[index(there + g)] >> np.uint8(8 - up)


@njit(nogil=True, error_model="numpy")
def _correct(out, pixel, corrections, y, x, size, kernel, dilation):  # noqa: ANN001, ANN202
    """Adds the corrections of taps outside of an image of `size` without padding; the first tap is at (y, x) of it."""
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            if not (0 <= y + i * dilation[0] < size[0] and 0 <= x + j * dilation[1] < size[1]):
                for channel in range(corrections.shape[1]):
                    out[index(pixel + channel)] += corrections[i * kernel[1] + j, channel]


@njit(nogil=True, error_model="numpy")
def _write(out, pixel, base, channel, apart, used, scale, sums, i, more):  # noqa: ANN001, ANN202
    """Writes `base` less differences to every `apart`-th of `used` channels of a pixel; `more` takes further differences off."""
    if more:
        for lane in range(used):
            out[index(pixel + channel + lane * apart)] -= scale * np.float32(sums[i, lane])
    elif apart == 1:  # a loop that LLVM turns into vectors
        for lane in range(used):
            c = channel + lane
            out[index(pixel + c)] = base[index(c)] - scale * np.float32(sums[i, lane])
    else:
        for lane in range(used):
            c = channel + lane * apart
            out[index(pixel + c)] = base[index(c)] - scale * np.float32(sums[i, lane])


@njit(nogil=True, cache=True, error_model="numpy")
def _convolve(packed, lanes, base, corrections, scale, out, geometry, first, last):  # noqa: ANN001, ANN202
    """Computes output pixels.

    Args:
        packed: as `_pack` writes it.
        lanes, base, corrections: see `binary.packed.words.Arrays`.
        scale: of differences.
        out: (n, oh, ow, outputs) float32; written.
        geometry: (kernel, stride, padding, dilation, group_channels, across).
        first: of the n * oh * ow pixels.
        last: one after the last of them.
    """
    kernel, stride, padding, dilation, group_channels, across = geometry
    high, wide, size, groups = packed.shape[1], packed.shape[2], packed.shape[3] * packed.shape[4], packed.shape[4]
    height, width, outputs = out.shape[1:]
    slabs, blocks, length = lanes.shape[:3]
    rows = np.empty(TILE * length * groups, np.uint8)
    bytes_, pixels, weights = packed.reshape(-1), out.reshape(-1), lanes.reshape(-1)
    sums = np.empty((2, LANES), np.uint16)
    for start in range(first, last, TILE):
        count = min(TILE, last - start)
        if group_channels < 8:
            rows[:] = 0
        for t in range(count):
            image, place = (start + t) // (height * width), (start + t) % (height * width)
            there = (image * high + place // width * stride[0]) * wide + place % width * stride[1]
            _gather(bytes_, there * size, size, groups, wide, kernel, dilation, group_channels, rows, t * length * groups)
        for slab in range(slabs):
            for block in range(blocks):
                begin = (slab * blocks + block) * length * LANES
                used = min(LANES, outputs // slabs - block * LANES)
                if across:  # `slab` is an output channel of each group
                    row, channel, apart = block * LANES, block * LANES * slabs + slab, slabs
                else:  # `slab` is a group
                    row, channel, apart = slab, slab * (outputs // slabs) + block * LANES, 1
                for t in range(0, count, 2):
                    one, other = row + t * length * groups, row + (t + 1) * length * groups
                    for segment in range(0, length, SEGMENT):
                        sums[:] = 0
                        end = min(length, segment + SEGMENT)
                        for k in range(segment, end, STEPS):
                            until = min(end, k + STEPS)
                            if across:
                                differing_across(weights, begin, rows, one, other, groups, k, until, sums)
                            else:
                                differing_within(weights, begin, rows, one, other, groups, k, until, sums)
                        for i in range(min(2, count - t)):
                            pixel = (start + t + i) * outputs
                            _write(pixels, pixel, base, channel, apart, used, scale, sums, i, segment > 0)
        if corrections.shape[0]:
            for t in range(count):
                place = (start + t) % (height * width)
                y, x = place // width * stride[0] - padding[0], place % width * stride[1] - padding[1]
                sides = high - 2 * padding[0], wide - 2 * padding[1]
                _correct(pixels, (start + t) * outputs, corrections, y, x, sides, kernel, dilation)


def pack(
    x: Tensor,
    shift: Tensor,
    level: float,
    packed: Tensor,
    padding: tuple[int, int],
    group_channels: int,
    groups: int,
    first: int,
    last: int,
) -> None:
    """Packs rows `first` to `last` of the input; see `_pack`."""
    arrays = x.numpy(), shift.numpy(), np.float32(level), packed.numpy()
    _pack(*arrays, padding, group_channels, groups, first, last)


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
    """Computes output pixels `first` to `last`; see `_convolve`."""
    arrays = packed.numpy(), lanes.numpy(), base.numpy(), corrections.numpy(), np.float32(scale), out.numpy()
    _convolve(*arrays, geometry, first, last)
