"""What a packed convolution takes of the time of torch's float convolution of the same shape, and what limits it."""

from __future__ import annotations

from collections.abc import Iterator
from time import process_time

import numpy as np
import torch
from torch.nn import functional as F

from binary.packed.counting import differing_within, njit
from binary.packed.layer import PackedConv2d
from binary.packed.operator import Kernel
from binary.packed.processor import instructions
from common.errors import UserError
from tests.bench.rows import Row
from tests.bench.timing import ratios, timed

CHANNELS, SIDES = 256, (14, 28)
TIMES: dict[Kernel, float] = {"numba": 8, "compiled": 12}
"""How many times faster than floats each kernel shall be, on a processor with AVX-512 (BITALG)."""
CALLS = 10
"""Calls in one timing: one takes less than a millisecond."""


def packed_rows(repeats: int) -> Iterator[Row]:
    """Rows for 3x3 convolutions of one picture with one thread, from float32 beside each other by channel; packing included."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        limit = operations_per_second(repeats)
        yield Row(
            what="Bits compared by the innermost loop of packed convolutions, from the first cache",
            unit="10^9/s",
            values=[value / 1e9 for value in limit],
            note="XOR, popcount and sum of one bit are one operation; the loop of the numba kernels, on rows that stay there "
            "(processor time, one thread).",
        )
        for kernel in TIMES:
            for side in SIDES:
                try:
                    yield from packed_times(kernel, side, repeats, float(np.median(limit)))
                except UserError as error:  # no compiler: the other rows still count
                    print(error)
    finally:
        torch.set_num_threads(before)


def packed_times(
    kernel: Kernel, side: int, repeats: int, limit: float, *, channels: int = CHANNELS, calls: int = CALLS
) -> Iterator[Row]:
    """Rows for one kernel and size: how many times faster than floats it is, and the share of the limit that it reaches.

    Args:
        kernel: what computes.
        side: of the picture, in pixels.
        repeats: pairs of timings that count.
        limit: bits per second of the innermost loop.
        channels: of input and output.
        calls: in one timing.
    """
    x = torch.randn(1, channels, side, side).contiguous(memory_format=torch.channels_last)
    weight = torch.randn(channels, channels, 3, 3)
    layer = PackedConv2d(weight, padding=1, kernel=kernel)
    weight = weight.contiguous(memory_format=torch.channels_last)

    @torch.inference_mode()
    def packed() -> None:
        for _ in range(calls):
            layer(x)

    @torch.inference_mode()
    def floats() -> None:
        for _ in range(calls):
            F.conv2d(x, weight, padding=1)

    found = ratios(floats, packed, repeats, warm_up=1)
    best = instructions() == "avx512_bitalg"
    yield Row(
        what=f"torch's float convolution 3x3, {channels} to {channels} channels, {side}x{side} pixels / packed, kernel {kernel}",
        unit="",
        target=TIMES[kernel] if best else None,
        least=True,
        values=found,
        note=f"Processor time, one picture, channels_last, one thread; packing of the activations included. A target holds for "
        f"processors with AVX-512 (BITALG) alone; this one has {instructions()}.",
    )
    seconds = [timed(packed, process_time) / calls for _ in range(repeats)]
    bits = side * side * channels * channels * 9
    yield Row(
        what=f"the same packed convolution, kernel {kernel}, {side}x{side} pixels",
        unit="ms",
        values=[1e3 * value for value in seconds],
        bound=1e3 * bits / limit,
        note="Processor time. The least is what the innermost loop of the numba kernels takes for as many bits. On processors "
        "with AVX2, the compiled kernel looks up bits of two pixels at once, and can take less.",
    )


def operations_per_second(repeats: int, *, length: int = 248, rounds: int = 20_000) -> list[float]:
    """Bits that the innermost loop compares per second, measured `repeats` times."""
    weights, rows = np.zeros(length * 64, np.uint8), np.zeros(2 * length, np.uint8)
    sums = np.zeros((2, 64), np.uint16)
    _compare(weights, rows, length, 1, sums)
    found = []
    for _ in range(repeats):
        seconds = timed(lambda: _compare(weights, rows, length, rounds, sums), process_time)
        found.append(2 * 64 * 8 * length * rounds / seconds)
    return found


@njit(nogil=True)
def _compare(weights, rows, length, rounds, sums):
    for _ in range(rounds):
        for k in range(0, length, 31):
            differing_within(weights, 0, rows, 0, length, 1, k, k + 31, sums)
