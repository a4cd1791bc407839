"""How the numba kernels count.

LLVM makes of a popcount of 64 bytes what the processor has: one instruction with AVX-512 (BITALG), table lookups of half bytes
with AVX2, sums of masked bits elsewhere. Of a loop over bytes it makes code that takes three times as long, so the innermost loop
is written for LLVM in vectors.

Numba keeps what it has compiled until this file changes, and sees no other file: what is compiled together stands here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.core.extending import intrinsic
from numba.np.arrayobj import make_array

from binary.packed.geometry import LANES

TILE = 16
"""Output pixels whose rows are gathered at once; they stay in the first cache beside a block of weights."""
STEPS = 31
"""Bytes of a row that are counted in lanes of 8 bits: 31 * 8 = 248 differences fit."""
SEGMENT = 264 * STEPS
"""Bytes of a row that are counted in sums of 16 bits: 65,472 differences fit."""
index = np.uint64
"""Of arrays in loops: numba takes signed ones from the end where they are negative, and LLVM then makes no vectors."""


def _differing(across: bool) -> Callable[..., Any]:
    """A function that adds the differing bits of two rows from the rows of all lanes to their sums.

    Args:
        across: each lane has a byte of its own in a row of activations; otherwise all lanes have the same one.
    """

    @intrinsic
    def differing(
        typing: Any, weights: Any, begin: Any, rows: Any, one: Any, other: Any, step: Any, first: Any, last: Any, sums: Any
    ) -> tuple[Any, Callable[..., Any]]:
        """Types and code of `differing(weights, begin, rows, one, other, step, first, last, sums)`.

        `weights` and `rows` are flat, of uint8. `begin` is where the rows of weights lie; `one` and `other` are where two rows of
        activations lie, with `step` between their bytes. Bytes `first` to `last` are counted, at most STEPS. `sums` has the
        shape (2, LANES) and the type uint16.
        """
        signature = types.void(weights, types.intp, rows, *[types.intp] * 5, sums)

        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            bytes_, shorts = ir.VectorType(ir.IntType(8), LANES), ir.VectorType(ir.IntType(16), LANES)
            weights, rows, sums = (make_array(signature.args[i])(context, builder, args[i]).data for i in (0, 2, 8))
            begin, begins, (step, first, last) = args[1], args[3:5], args[5:8]

            def load(pointer: Any, offset: Any, kind: Any) -> Any:
                there = builder.bitcast(builder.gep(pointer, [offset]), kind.as_pointer())
                return builder.load(there, align=1)

            kind = ir.FunctionType(bytes_, [bytes_])
            popcount = cgutils.get_or_insert_function(builder.module, kind, f"llvm.ctpop.v{LANES}i8")
            counts = [cgutils.alloca_once_value(builder, ir.Constant(bytes_, None)) for _ in begins]
            length = builder.sub(last, first)
            with cgutils.for_range(builder, length) as loop:
                k = builder.add(first, loop.index)
                weight = load(weights, builder.add(begin, builder.mul(k, ir.Constant(k.type, LANES))), bytes_)
                for row, count in zip(begins, counts):
                    offset = builder.add(row, builder.mul(k, step))
                    if across:
                        values = load(rows, offset, bytes_)
                    else:
                        none = ir.Constant(bytes_, ir.Undefined)
                        one = builder.insert_element(none, load(rows, offset, ir.IntType(8)), ir.Constant(ir.IntType(32), 0))
                        values = builder.shuffle_vector(one, none, ir.Constant(ir.VectorType(ir.IntType(32), LANES), None))
                    found = builder.call(popcount, [builder.xor(weight, values)])
                    builder.store(builder.add(builder.load(count), found), count)
            for i, count in enumerate(counts):
                there = builder.bitcast(builder.gep(sums, [ir.Constant(first.type, i * LANES)]), shorts.as_pointer())
                wide = builder.zext(builder.load(count), shorts)
                store = builder.store(builder.add(builder.load(there, align=2), wide), there)
                store.align = 2
            return context.get_dummy_value()

        return signature, code

    return differing


differing_across, differing_within = _differing(True), _differing(False)


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
    dense = group_channels < 8
    together = kernel[1] if dilation[1] == 1 and not dense else 1  # taps beside each other are copied at once
    for i in range(kernel[0]):
        for j in range(0, kernel[1], together):
            tap = i * kernel[1] + j
            there = begin + (i * dilation[0] * width + j * dilation[1]) * size
            if not dense:
                for k in range(together * size):
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
def _write(out, pixel, base, channel, used, scale, sums, i, more):  # noqa: ANN001, ANN202
    """Writes `base` less differences to `used` channels of a pixel; `more` takes further differences off."""
    if more:
        for lane in range(used):
            out[index(pixel + channel + lane)] -= scale * np.float32(sums[i, lane])
    else:
        for lane in range(used):
            c = channel + lane
            out[index(pixel + c)] = base[index(c)] - scale * np.float32(sums[i, lane])


@njit(nogil=True, cache=True, error_model="numpy")
def convolve(packed, lanes, base, corrections, scale, out, geometry, first, last):  # noqa: ANN001, ANN201
    """Computes the output pixels `first` to `last` - 1 of n * oh * ow.

    `packed` is made by `binary.packed.with_numba`; `lanes`, `base` and `corrections` are those of `binary.packed.words.Arrays`,
    `scale` is that of differences, `out`, (n, oh, ow, outputs) float32, is written. `geometry` is (kernel, stride, padding,
    dilation, group_channels, across).
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
                channel = slab * (outputs // slabs) + block * LANES  # `slab` is a group, or 0 where lanes go across groups
                row = block * LANES if across else slab
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
                            _write(pixels, pixel, base, channel, used, scale, sums, i, segment > 0)
        if corrections.shape[0]:
            for t in range(count):
                place = (start + t) % (height * width)
                y, x = place // width * stride[0] - padding[0], place % width * stride[1] - padding[1]
                sides = high - 2 * padding[0], wide - 2 * padding[1]
                _correct(pixels, (start + t) * outputs, corrections, y, x, sides, kernel, dilation)
