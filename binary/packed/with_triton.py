"""Packed convolutions on CUDA. Torch packs the activations and gathers rows, a kernel of Triton counts differing bits.

The rows of all output pixels are in memory at once: for a 3x3 convolution 9 bits for each value of 32 bits.
"""

# ruff: noqa: ANN001, ANN202 - Triton cannot read annotations of its functions

from __future__ import annotations

import importlib
from typing import Any

import torch
from jaxtyping import Float, Int32, UInt8
from torch import Tensor
from torch.nn import functional as F

from binary.packed.geometry import LANES, Geometry
from binary.packed.processor import LEVEL, SCALE, channels_last
from binary.packed.words import Activations, Arrays, Pad
from common.errors import UserError

try:  # no extra names the package: torch brings it where there is one
    triton: Any = importlib.import_module("triton")
    tl: Any = importlib.import_module("triton.language")
    libdevice: Any = importlib.import_module("triton.language.extra.libdevice")
except ImportError as error:
    raise UserError(f"kernel='triton' needs the package triton ({error}); install it, or give kernel='numba'") from error

PIXELS = 32
"""Output pixels of one program, which counts for 64 lanes."""


@triton.jit
def _popcount(x):
    return libdevice.popc(x)


@triton.jit
def _count(
    rows,
    lanes,
    base,
    corrections,
    outside,
    out,
    pixels,
    plane,
    words,
    groups,
    slabs,
    blocks,
    outputs,
    taps,
    scale,
    ACROSS: tl.constexpr,  # pyright: ignore[reportInvalidTypeForm]
    PIXELS: tl.constexpr,  # pyright: ignore[reportInvalidTypeForm]
    LANES: tl.constexpr,  # pyright: ignore[reportInvalidTypeForm]
):
    """Computes PIXELS output pixels of the LANES channels of one block; the shapes are those of `convolve`."""
    pixel = tl.program_id(0) * PIXELS + tl.arange(0, PIXELS)[:, None]
    slab, block = tl.program_id(1) // blocks, tl.program_id(1) % blocks
    lane = tl.arange(0, LANES)[None, :]
    there = pixel < pixels
    if ACROSS:  # every lane has a row of its own
        row = (pixel * groups + block * LANES + lane) * words
    else:  # lanes are output channels of the group `slab`
        row = (pixel * groups + slab) * words
    channel = slab * (outputs // slabs) + block * LANES + lane
    weight = ((slab * blocks + block) * LANES + lane) * words
    used = block * LANES + lane < outputs // slabs
    differing = tl.zeros((PIXELS, LANES), tl.int32)
    for k in range(words):
        differing += _popcount(tl.load(rows + row + k, there, 0) ^ tl.load(lanes + weight + k))
    value = tl.load(base + channel, used, 0.0) - scale * differing.to(tl.float32)
    for tap in range(taps):
        gone = tl.load(outside + tap * plane + pixel % plane, there, 0)
        value += gone.to(tl.float32) * tl.load(corrections + tap * outputs + channel, used, 0.0)
    tl.store(out + pixel * outputs + channel, value, there & used)


def convolve(
    x: Float[Tensor, "n c h w"],
    weights: Arrays,
    threshold: Float[Tensor, "c"] | None,
    geometry: Geometry,
    activations: Activations,
    pad: Pad,
) -> Float[Tensor, "n out oh ow"]:
    """The convolution; the output has the memory format of `x`."""
    oh, ow = geometry.output_size(*x.shape[2:])
    shifted = x if threshold is None else x + threshold[:, None, None]
    rows = gathered(shifted >= LEVEL[activations], geometry, pad)
    lanes = _words(weights.lanes.transpose(2, 3))
    slabs, blocks, _, words = lanes.shape
    outside = taps_outside(x.shape[2], x.shape[3], geometry, x.device)
    out = torch.empty(len(x), oh, ow, geometry.outputs, device=x.device)
    pixels = out[..., 0].numel()
    _count[(-(-pixels // PIXELS), slabs * blocks)](
        rows,
        lanes,
        weights.base,
        weights.corrections,
        outside,
        out,
        pixels,
        oh * ow,
        words,
        geometry.packed_groups,
        slabs,
        blocks,
        geometry.outputs,
        len(weights.corrections),
        SCALE[activations],
        ACROSS=geometry.across,
        PIXELS=PIXELS,
        LANES=LANES,
    )
    result = out.permute(0, 3, 1, 2)
    return result if channels_last(x) else result.contiguous()


def gathered(bits: Tensor, geometry: Geometry, pad: Pad) -> Int32[Tensor, "pixels groups words"]:
    """What every output pixel reads of every group; groups that fill lanes have the bits 0.

    Args:
        bits: (n, c, h, w) bool.
        geometry: of the convolution.
        pad: taps outside of the image have the bits 1 for `one`, otherwise 0.
    """
    g = geometry
    oh, ow = g.output_size(*bits.shape[2:])
    above, left = g.padding
    image = F.pad(bits.to(torch.uint8), (left, left, above, above), value=int(pad == "one"))
    taps = []
    for i in range(g.kernel[0]):
        for j in range(g.kernel[1]):
            y, begin = i * g.dilation[0], j * g.dilation[1]
            rows = slice(y, y + (oh - 1) * g.stride[0] + 1, g.stride[0])
            taps.append(image[:, :, rows, begin : begin + (ow - 1) * g.stride[1] + 1 : g.stride[1]])
    found = torch.stack(taps, -1).unflatten(1, (g.groups, g.group_channels))  # (n, groups, channels, oh, ow, taps)
    found = found.permute(0, 3, 4, 1, 5, 2).reshape(-1, g.groups, g.taps, g.group_channels)
    if not g.dense:
        found = F.pad(found, (0, g.tap_bytes * 8 - g.group_channels))  # every tap begins a byte
    found = found.flatten(2)
    found = F.pad(found, (0, -found.shape[2] % 8)).unflatten(2, (-1, 8))
    places = torch.arange(8, device=bits.device, dtype=torch.uint8)
    packed = (found << places).sum(3, dtype=torch.uint8)
    packed = packed.repeat_interleave(g.repeats, dim=1)
    return _words(F.pad(packed, (0, 0, 0, g.packed_groups - packed.shape[1])))


def taps_outside(height: int, width: int, geometry: Geometry, device: torch.device) -> UInt8[Tensor, "taps oh ow"]:
    """1 where a tap of an output pixel lies outside of an image."""
    inside = []
    for axis, (side, made) in enumerate(zip((height, width), geometry.output_size(height, width))):
        first = torch.arange(made, device=device) * geometry.stride[axis] - geometry.padding[axis]
        at = first + torch.arange(geometry.kernel[axis], device=device)[:, None] * geometry.dilation[axis]
        inside.append((at >= 0) & (at < side))
    both = inside[0][:, None, :, None] & inside[1][None, :, None, :]
    return (~both).to(torch.uint8).flatten(0, 1).contiguous()


def _words(rows: Tensor) -> Tensor:
    """Bytes of rows, the last dimension, as words of 32 bits."""
    return F.pad(rows, (0, -rows.shape[-1] % 4)).contiguous().view(torch.int32)
