"""Signs of weights as bits, and the arrays that kernels read.

Example: the weights (0.3, -2.0, 0.0) of one output channel have the signs (+1, -1, +1), the bits (1, 0, 1), and the word 5: the
first weight is the lowest bit. The activations (-1, -1, +1) have the word 4. The XOR of the words is 1, which has one bit set:
one of three products is -1. Their sum is 3 - 2 * 1 = 1.

Let `differing` be the number of bits set in the XOR of a row of activations and a row of weights. Every kind of convolution
follows from this one number:

- Signs: each bit that differs is a product of -1, so that the sum is `weights - 2 * differing`.
- Activations of 0 and 1: `differing` counts the weights +1 at activations 0 and the weights -1 at activations 1. The sum,
  weights +1 less weights -1 at activations 1, is therefore `weights of +1 - differing`.
- Taps outside of the image have the bits 0. With activations of 0 and 1 they count as 0 without more ado. With signs they count
  as -1, which for one tap is `channels - 2 * weights of +1`; where they shall count as 0, this is taken off again.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from binary.packed.geometry import LANES, Geometry

Activations = Literal["sign", "bits"]
"""What activations become: +1 and -1, or 1 and 0."""
Pad = Literal["zero", "one"]
"""What taps outside of the image are."""


def pack_weights(weight: Float[Tensor, "out c kh kw"]) -> Int64[Tensor, "out words"]:
    """The signs of weights as bits, 1 for weights of 0 or more: tap after tap, within a tap channel after channel.

    Returns:
        Words of 64 bits for each output channel. Bits after the last weight are 0.
    """
    bits = (weight.detach() >= 0).permute(0, 2, 3, 1).flatten(1).cpu().numpy()
    packed = np.packbits(bits, axis=1, bitorder="little")
    packed = np.pad(packed, ((0, 0), (0, -packed.shape[1] % 8)))
    return torch.from_numpy(np.ascontiguousarray(packed).view("<i8"))


def unpack_weights(words: Int64[Tensor, "out words"], geometry: Geometry) -> UInt8[Tensor, "out taps c"]:
    """The bits of `pack_weights`, one per byte."""
    bits = np.unpackbits(words.cpu().numpy().astype("<i8", copy=False).view(np.uint8), axis=1, bitorder="little")
    return torch.from_numpy(bits[:, : geometry.row_bits].reshape(-1, geometry.taps, geometry.group_channels).copy())


class Arrays(NamedTuple):
    """What kernels read of weights: an output is `base - scale * differing + corrections of the taps outside of the image`.

    Attributes:
        lanes: bytes of rows, (1 or groups, blocks, bytes of a row, `LANES`).
        base: for each output channel.
        corrections: for each tap and output channel; no taps where the taps outside of the image need none.
    """

    lanes: UInt8[Tensor, "slabs blocks bytes lanes"]
    base: Float[Tensor, "out"]
    corrections: Float[Tensor, "taps out"]


def arrays(words: Int64[Tensor, "out words"], geometry: Geometry, activations: Activations, pad: Pad) -> Arrays:
    """The arrays of packed weights."""
    bits = unpack_weights(words, geometry)
    plus = bits.sum(2, dtype=torch.float32)  # weights of +1 of each output channel and tap
    if activations == "bits":
        base, corrections = plus.sum(1), plus.new_empty(0, geometry.outputs)
    else:
        base = torch.full((geometry.outputs,), float(geometry.row_bits))
        outside = any(geometry.padding) and pad == "zero"
        corrections = (2 * plus - geometry.group_channels).T.contiguous() if outside else plus.new_empty(0, geometry.outputs)
    return Arrays(lanes=_lanes(bits.numpy(), geometry), base=base, corrections=corrections)


def _lanes(bits: np.ndarray, geometry: Geometry) -> Tensor:
    """Rows of weights side by side: byte k of 64 rows, then byte k + 1 of them."""
    if geometry.dense:
        rows = np.packbits(bits.reshape(geometry.outputs, -1), axis=1, bitorder="little")
    else:  # every tap begins a byte
        rows = np.packbits(bits, axis=2, bitorder="little").reshape(geometry.outputs, -1)
    slabs = rows.reshape(geometry.slabs, -1, geometry.row_bytes)
    slabs = np.pad(slabs, ((0, 0), (0, geometry.blocks * LANES - slabs.shape[1]), (0, 0)))
    blocks = slabs.reshape(slabs.shape[0], geometry.blocks, LANES, geometry.row_bytes)
    return torch.from_numpy(np.ascontiguousarray(blocks.swapaxes(2, 3)))
