"""Packed convolutions on the processor: what all its kernels share, and what the processor can do."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from binary.packed.geometry import Geometry
from binary.packed.words import Activations, Arrays, Pad
from common.extras import imports_of

Sizes = tuple[tuple[int, int], tuple[int, int], tuple[int, int], tuple[int, int], int, bool]
"""Kernel, stride, padding, dilation, channels of a group, whether lanes go across groups."""
LEVEL = {"sign": 0.0, "bits": 0.5}
"""The least activation whose bit is 1."""
SCALE = {"sign": 2.0, "bits": 1.0}
"""What a differing bit takes off a sum."""


@runtime_checkable
class Kernels(Protocol):
    """The two loops of a back end. Arguments are contiguous tensors; see `binary.packed.with_numba._pack` and
    `binary.packed.counting.convolve` for their shapes."""

    def pack(
        self,
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
        """Packs rows `first` to `last` of the input."""
        ...

    def convolve(
        self,
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
        """Computes output pixels `first` to `last`."""
        ...


def convolve(
    kernels: Kernels,
    x: Float[Tensor, "n c h w"],
    weights: Arrays,
    threshold: Float[Tensor, "c"] | None,
    geometry: Geometry,
    activations: Activations,
    pad: Pad,
) -> Float[Tensor, "n out oh ow"]:
    """The convolution, with as many threads as torch has; the output has the memory format of `x`."""
    n, _, height, width = x.shape
    above, left = geometry.padding
    oh, ow = geometry.output_size(height, width)
    last = x.detach().contiguous(memory_format=torch.channels_last).permute(0, 2, 3, 1)
    out = torch.empty(n, oh, ow, geometry.outputs)
    shape = (n, height + 2 * above, width + 2 * left, geometry.tap_bytes, geometry.packed_groups)
    packed = torch.zeros(shape, dtype=torch.uint8)
    if pad == "one":
        packed[:] = _ones(geometry)[:, None]
    shift = torch.zeros(geometry.channels) if threshold is None else threshold
    sizes = (geometry.kernel, geometry.stride, geometry.padding, geometry.dilation, geometry.group_channels, geometry.across)
    level, scale = LEVEL[activations], SCALE[activations]

    def pack(first: int, end: int) -> None:
        groups = geometry.group_channels, geometry.groups, geometry.repeats
        kernels.pack(last, shift, level, packed, geometry.padding, *groups, first, end)

    def count(first: int, end: int) -> None:
        kernels.convolve(packed, weights.lanes, weights.base, weights.corrections, scale, out, sizes, first, end)

    in_parts(pack, n * height)
    in_parts(count, n * oh * ow)
    result = out.permute(0, 3, 1, 2)
    return result if channels_last(x) else result.contiguous()


def channels_last(x: Tensor) -> bool:
    """Whether a convolution of `x`, which may be a part of a larger map, has its channels beside each other in memory."""
    if x.is_contiguous():
        return False
    return x.is_contiguous(memory_format=torch.channels_last) or x.stride(1) < x.stride(3)


def in_parts(work: Callable[[int, int], None], count: int) -> None:
    """Calls `work(first, last)` on parts of `count` items, in as many threads as torch has."""
    threads = min(torch.get_num_threads(), count)
    if threads <= 1:
        return work(0, count)
    bounds = [count * i // threads for i in range(threads + 1)]
    list(_pool(threads).map(work, bounds[:-1], bounds[1:]))


@functools.cache
def _pool(threads: int) -> ThreadPoolExecutor:
    """Threads that are kept: to start them takes as long as a small convolution."""
    return ThreadPoolExecutor(threads)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)  # a forked process has none of the threads


def _ones(geometry: Geometry) -> Tensor:
    """The bytes of a pixel whose channels all have the bit 1."""
    return torch.from_numpy(np.packbits(np.arange(geometry.tap_bytes * 8) < geometry.group_channels, bitorder="little"))


def fallback() -> str | None:
    """What a user is told of a processor without instructions that count bits of whole vectors; None where it has them."""
    best = instructions()
    if best in ("avx512_bitalg", "avx2"):
        return None
    rest = "the instruction popcnt" if best == "popcnt" else "shifts and masks"
    return f"this processor has neither AVX-512 (BITALG) nor AVX2: bits are counted with {rest}, alike and several times slower"


def instructions() -> Literal["avx512_bitalg", "avx2", "popcnt", "none"]:
    """The best of the instructions that count bits on this processor: of 64 bytes, by tables of half bytes, of a word.

    Raises:
        MissingPackages: numba is not installed.
    """
    with imports_of("binary"):
        from llvmlite.binding import get_host_cpu_features
    features = get_host_cpu_features()
    if features.get("avx512bitalg") and features.get("avx512bw"):
        return "avx512_bitalg"
    return "avx2" if features.get("avx2") else "popcnt" if features.get("popcnt") else "none"
