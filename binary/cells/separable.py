"""The operations of DARTS with binary convolutions: BNAS of the Beihang group (1911.10862) and CP-NAS (2005.00057)."""

from __future__ import annotations

from torch import nn

from binary.cells.parts import CONVOLUTIONS, BinaryParts, Halving, signed
from binary.layers.convolution import Binary
from classification.cells.space import Network

MEAN = Binary(scale="filter", gradient="clipped")
"""Signs times the mean size of a filter, which has no gradient."""


class SeparableParts(BinaryParts):
    """A convolution is a depthwise and a 1x1 one, each of BatchNorm, sign and convolution, and BatchNorm and PReLU at the end.

    Reconstructions: separable convolutions are applied once, as the authors' book shows them, and PReLU is that of their next
    paper, DCP-NAS; convolutions on the inputs of a cell are binary too.
    """

    def entry(self, c_in: int, width: int, halving: bool, net: Network) -> nn.Module:
        """A 1x1 convolution, or two where the resolution is halved."""
        if halving:
            return nn.Sequential(Halving(c_in, width, MEAN, net.affine), *ended(width, net))
        return nn.Sequential(*signed(c_in, width, 1, arithmetic=MEAN, affine=net.affine), *ended(width, net))

    def operation(self, name: str, width: int, stride: int, net: Network) -> nn.Module:
        """See `binary.cells.space.FORMS`."""
        if (plain := self.plain(name, width, stride, net)) is not None:
            return plain
        if name == "skip_connect":
            return self.entry(width, width, True, net)
        kernel, dilation = CONVOLUTIONS[name]
        depthwise = signed(width, width, kernel, stride, arithmetic=MEAN, dilation=dilation, groups=width, affine=net.affine)
        return nn.Sequential(*depthwise, *signed(width, width, 1, arithmetic=MEAN, affine=net.affine), *ended(width, net))


def ended(width: int, net: Network) -> list[nn.Module]:
    """What follows the last convolution of an operation."""
    return [nn.BatchNorm2d(width, affine=net.affine), nn.PReLU(width)]
