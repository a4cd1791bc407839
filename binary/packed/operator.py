"""The packed convolution as one operator of torch, which compilers and exports leave as it is, and the choice of its kernels."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Literal, cast, get_args

import torch
from torch import Tensor

from binary.packed import processor
from binary.packed.geometry import LANES, Geometry
from binary.packed.words import Activations, Arrays, Pad
from common.errors import UserError, shown

Kernel = Literal["numba", "compiled", "triton"]
"""What computes: code that numba compiles, code that a C++ compiler compiles, or code for CUDA that Triton compiles."""


def load(kernel: Kernel) -> None:
    """Makes a back end ready: imports its packages, or compiles its source.

    Raises:
        UserError: it cannot be used here; the message says why.
    """
    if kernel == "numba":
        from binary.packed import with_numba  # noqa: F401
    elif kernel == "compiled":
        from binary.packed.with_compiler import compiled

        compiled()
    elif kernel == "triton":
        from binary.packed import with_triton  # noqa: F401
    else:
        raise UserError(f"kernel={shown(kernel)}: give one of {', '.join(get_args(Kernel))}")


def numbers(geometry: Geometry) -> list[int]:
    """A geometry as the operator takes it."""
    pairs = (geometry.kernel, geometry.stride, geometry.padding, geometry.dilation)
    return [geometry.channels, geometry.outputs, geometry.groups, *(side for pair in pairs for side in pair)]


@functools.lru_cache(1024)
def _geometry(sizes: tuple[int, ...]) -> tuple[Geometry, tuple[int, int, int, int]]:
    """The geometry of the operator's `sizes`, and the shape of its lanes."""
    channels, outputs, groups, *sides = sizes
    kernel, stride, padding, dilation = ((sides[i], sides[i + 1]) for i in range(0, 8, 2))
    made = Geometry(
        channels=channels,
        outputs=outputs,
        kernel=kernel,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
    )
    return made, (made.slabs, made.blocks, made.row_bytes, LANES)


NAME = "tasknas::packed_conv2d"
torch.library.define(
    NAME,
    "(Tensor x, Tensor lanes, Tensor base, Tensor corrections, Tensor? threshold, int[] sizes, "
    "str activations, str pad, str kernel) -> Tensor",
)


@torch.library.impl(NAME, ("cpu", "cuda"))  # `custom_op` would take as long again for each call as all else that is not counting
def _packed_conv2d(
    x: Tensor,
    lanes: Tensor,
    base: Tensor,
    corrections: Tensor,
    threshold: Tensor | None,
    sizes: Sequence[int],
    activations: str,
    pad: str,
    kernel: str,
) -> Tensor:
    """The convolution of the signs of `x`, (n, c, h, w) float32, with packed weights: (n, out, oh, ow) float32.

    Args:
        x: on the processor, or on a GPU with the kernel `triton`.
        lanes: see `binary.packed.words.Arrays`, as of `base` and `corrections`; slabs and blocks in one dimension.
        base: on the device of `x`, as all tensors.
        corrections: of taps outside of the image.
        threshold: (c,), added to `x` before signs are taken.
        sizes: see `numbers`.
        activations: see `binary.packed.words.Activations`.
        pad: see `binary.packed.words.Pad`.
        kernel: see `Kernel`.
    """
    (geometry, shape), kind, outside = _geometry(tuple(sizes)), cast(Activations, activations), cast(Pad, pad)
    slabs, blocks, *row = shape
    wanted = (slabs * blocks, *row)
    if lanes.shape != wanted or base.shape[0] != geometry.outputs:  # kernels would read beyond their memory
        raise UserError(f"packed weights of shape {tuple(lanes.shape)} for a geometry of {wanted}: pack the weights again")
    arrays = Arrays(lanes.view(shape), base, corrections)
    if kernel == "triton":
        from binary.packed import with_triton

        return with_triton.convolve(x, arrays, threshold, geometry, kind, outside)
    if kernel == "numba":
        from binary.packed import with_numba as kernels
    else:
        from binary.packed.with_compiler import compiled

        kernels = compiled()
    return processor.convolve(kernels, x, arrays, threshold, geometry, kind, outside)


@torch.library.register_fake(NAME)
def _(
    x: Tensor,
    lanes: Tensor,
    base: Tensor,
    corrections: Tensor,
    threshold: Tensor | None,
    sizes: Sequence[int],
    activations: str,
    pad: str,
    kernel: str,
) -> Tensor:
    n, _, height, width = x.shape
    oh, ow = _geometry(tuple(sizes))[0].output_size(height, width)
    layout = torch.channels_last if processor.channels_last(x) else torch.contiguous_format
    return x.new_empty(n, base.shape[0], oh, ow).contiguous(memory_format=layout)


packed_conv2d = torch.ops.tasknas.packed_conv2d.default
"""The operator."""
