"""What networks of binary cells have in common: their layers end in a binary convolution behind a sign."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from binary.layers.activations import Sign
from binary.layers.convolution import Binary, binary_conv2d
from classification.cells.cell import RealParts
from classification.cells.operations import MAKERS
from classification.cells.space import Network

PLAIN = ("none", "max_pool_3x3", "avg_pool_3x3")
"""Operations without weights, which are those of DARTS."""
CONVOLUTIONS = {
    "sep_conv_3x3": (3, 1),
    "sep_conv_5x5": (5, 1),
    "dil_conv_3x3": (3, 2),
    "dil_conv_5x5": (5, 2),
}
"""Operation of the forms separable and grouped -> kernel and dilation of its first convolution."""


class BinaryParts(RealParts):
    """The stems of DARTS, whose convolutions are real, and operations without weights; papers add the others."""

    def plain(self, name: str, width: int, stride: int, net: Network) -> nn.Module | None:
        """An operation without weights; None for the others."""
        if name in PLAIN or (name == "skip_connect" and stride == 1):
            return MAKERS[name](width, stride, net)
        return None


def signed(
    c_in: int,
    c_out: int,
    kernel: int,
    stride: int = 1,
    *,
    arithmetic: Binary,
    dilation: int = 1,
    groups: int = 1,
    affine: bool = True,
) -> list[nn.Module]:
    """BatchNorm, a sign, and a binary convolution, padded to keep the size at stride 1."""
    convolution = binary_conv2d(c_in, c_out, kernel, stride, arithmetic=arithmetic, dilation=dilation, groups=groups)
    return [nn.BatchNorm2d(c_in, affine=affine), Sign("clipped"), convolution]


class Even(nn.Module):
    """Pads odd edges of an image by a row of zeros; the published sizes have none."""

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c i j"]:
        """The image of even edges."""
        return F.pad(x, (0, x.shape[3] % 2, 0, x.shape[2] % 2))


class Halving(nn.Module):
    """Halves the resolution by two binary 1x1 convolutions of half the channels each, the second on the image shifted by a pixel.

    DARTS's factorised reduction with signs; `c_out` is even. An odd edge is padded by a row of zeros, whose signs are +1.
    """

    def __init__(self, c_in: int, c_out: int, arithmetic: Binary, affine: bool) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(c_in, affine=affine)
        self.even = Even()
        self.first = nn.Sequential(Sign("clipped"), binary_conv2d(c_in, c_out // 2, 1, arithmetic=arithmetic))
        self.second = nn.Sequential(Sign("clipped"), binary_conv2d(c_in, c_out // 2, 1, arithmetic=arithmetic))

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d i j"]:
        """The map at half the resolution."""
        x = self.norm(x)
        return torch.cat([self.first(x[:, :, ::2, ::2]), self.second(self.even(x)[:, :, 1::2, 1::2])], 1)
