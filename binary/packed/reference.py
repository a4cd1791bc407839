"""The slow way, for comparison: +1 and -1, or 1 and 0, as whole numbers."""

from __future__ import annotations

import numpy as np

from binary.packed.geometry import Geometry
from binary.packed.words import Activations, Pad


def convolve(
    x: np.ndarray, weight: np.ndarray, threshold: np.ndarray | None, geometry: Geometry, activations: Activations, pad: Pad
) -> np.ndarray:
    """The convolution of signs.

    Args:
        x: (n, c, h, w) float32.
        weight: (out, c / groups, kh, kw) float32, whose signs count.
        threshold: (c,) float32, added to `x`.
        geometry: of the convolution.
        activations: what values of `x` become.
        pad: what taps outside of the image are.

    Returns:
        (n, out, oh, ow) int64.
    """
    g = geometry
    if activations == "bits":
        values = np.where(x >= 0.5, 1, 0)
    else:
        shift = np.zeros(g.channels, np.float32) if threshold is None else threshold
        values = np.where(x + shift[:, None, None] >= 0, 1, -1)
    around = ((0, 0), (0, 0), *((side, side) for side in g.padding))
    values = np.pad(values, around, constant_values=1 if pad == "one" else 0)
    values = values.reshape(len(x), g.groups, g.group_channels, *values.shape[2:])
    signs = np.where(weight >= 0, 1, -1).reshape(g.groups, g.group_outputs, g.group_channels, *g.kernel)
    oh, ow = g.output_size(*x.shape[2:])
    out = np.zeros((len(x), g.groups, g.group_outputs, oh, ow), np.int64)
    for i in range(g.kernel[0]):
        for j in range(g.kernel[1]):
            y, left = i * g.dilation[0], j * g.dilation[1]
            rows = slice(y, y + (oh - 1) * g.stride[0] + 1, g.stride[0])
            columns = slice(left, left + (ow - 1) * g.stride[1] + 1, g.stride[1])
            out += np.einsum("ngchw,goc->ngohw", values[..., rows, columns], signs[..., i, j])
    return out.reshape(len(x), g.outputs, oh, ow)
