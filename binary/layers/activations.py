"""What stands before and behind binary convolutions: activations of two values, and ReActNet's shifted ones."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from binary.layers.signs import SIGNS, Estimator, zero_one

Map = Float[Tensor, "n c h w"]
SLOPE = 0.25
"""Slope of PReLU at the beginning, torch's own."""


class Sign(nn.Module):
    """+1 and -1, with a gradient of `binary.layers.signs`."""

    def __init__(self, gradient: Estimator = "clipped") -> None:
        super().__init__()
        self.gradient: Estimator = gradient

    def forward(self, x: Map) -> Map:
        """The signs."""
        return SIGNS[self.gradient](x)

    def extra_repr(self) -> str:
        """What `print` tells."""
        return self.gradient


class ZeroOne(nn.Module):
    """0 and 1 (DoReFa-Net, one bit)."""

    def forward(self, x: Map) -> Map:
        """Limited to 0 to 1, and rounded."""
        return zero_one(x)


class Shift(nn.Module):
    """A number added to each channel; 0 at the beginning."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(width, 1, 1))

    def forward(self, x: Map) -> Map:
        """The sum."""
        return x + self.bias


def rsign(width: int, gradient: Estimator = "polynomial") -> nn.Sequential:
    """A sign whose threshold is learnt for each channel (ReActNet, 2003.03488, section 4.2)."""
    return nn.Sequential(Shift(width), Sign(gradient))


def rprelu(width: int) -> nn.Sequential:
    """PReLU that is shifted before and behind it, all of it learnt for each channel (ReActNet, section 4.2)."""
    return nn.Sequential(Shift(width), nn.PReLU(width, SLOPE), Shift(width))
