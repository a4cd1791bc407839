"""The operations of BATS (Bulat, Martinez and Tzimiropoulos 2020, 2003.01711): grouped convolutions within shortcuts."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from binary.cells.parts import CONVOLUTIONS, BinaryParts, Halving, signed
from binary.cells.space import SHUFFLED
from binary.layers.convolution import Binary
from classification.cells.space import Network

BARE = Binary(scale="none", gradient="clipped")
"""Signs alone: `Learnt` scales what they give."""


class Learnt(nn.Module):
    """Multiplies each channel by a number that is learnt (XNOR-Net++, 1909.13863); 1 at the beginning."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width, 1, 1))

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """The product."""
        return x * self.scale


class Within(nn.Module):
    """An operation and its input, added up (section 3.1): even what an operation forgets reaches the next one."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """The sum."""
        return self.inner(x) + x


class GroupedParts(BinaryParts):
    """A convolution is BatchNorm, sign, a grouped convolution, PReLU and a shuffle of channels, within a shortcut at stride 1.

    Operations have the names of DARTS, and no second and no 1x1 convolution.
    """

    def __init__(self, groups: int) -> None:
        """Convolutions of so many groups; 12 in the paper."""
        self.groups = groups

    def entry(self, c_in: int, width: int, halving: bool, net: Network) -> nn.Module:
        """A 1x1 convolution within a shortcut, if widths are alike, or two where the resolution is halved."""
        if halving:
            return nn.Sequential(Halving(c_in, width, BARE, net.affine), Learnt(width), nn.PReLU(width))
        layers = signed(c_in, width, 1, arithmetic=BARE, affine=net.affine)
        inner = nn.Sequential(*layers, Learnt(width), nn.PReLU(width))
        return Within(inner) if c_in == width else inner

    def operation(self, name: str, width: int, stride: int, net: Network) -> nn.Module:
        """See `binary.cells.space.FORMS`."""
        if (plain := self.plain(name, width, stride, net)) is not None:
            return plain
        if name == "skip_connect":
            return self.entry(width, width, True, net)
        kernel, dilation = CONVOLUTIONS[name]
        layers = signed(width, width, kernel, stride, arithmetic=BARE, dilation=dilation, groups=self.groups, affine=net.affine)
        inner = nn.Sequential(*layers, Learnt(width), nn.PReLU(width), nn.ChannelShuffle(SHUFFLED))
        return Within(inner) if stride == 1 else inner
