"""The layers of BNAS by Kim, Singh and Choi (2002.06963): plain and dilated binary convolutions, shortcuts between cells."""

from __future__ import annotations

from torch import nn

from binary.cells.parts import BinaryParts, Even, signed
from binary.layers.convolution import Binary
from classification.cells.space import Network

XNOR = Binary(scale="filter", learnt=True, centred=True)
"""Weights of XNOR-Net's released code, by which the official code of BNAS trains, with rates of ordinary binary networks."""
CONVOLUTIONS = {
    "bin_conv_3x3": (3, 1),
    "bin_conv_5x5": (5, 1),
    "bin_dil_conv_3x3": (3, 2),
    "bin_dil_conv_5x5": (5, 2),
}
"""Operation -> kernel and dilation."""


class KimParts(BinaryParts):
    """Layers as in the official code: a convolution is BatchNorm, sign, convolution, ReLU, and has all channels in one group."""

    def stem(self, net: Network) -> tuple[nn.Module, nn.Module, int]:
        """On CIFAR BatchNorm, a convolution of stride 1, ReLU; that of DARTS on ImageNet."""
        if net.skeleton != "cifar":
            return BinaryParts.stem(self, net)
        c_out = 3 * net.width
        return nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, c_out, 3, 1, 1, bias=False), nn.ReLU()), nn.Identity(), c_out

    def entry(self, c_in: int, width: int, halving: bool, net: Network) -> nn.Module:
        """A 1x1 convolution, or one of 3x3 and stride 2; real in a search."""
        kernel, stride = (3, 2) if halving else (1, 1)
        searched = not net.affine
        if searched:
            convolution = nn.Conv2d(c_in, width, kernel, stride, kernel // 2, bias=False)
            return nn.Sequential(nn.BatchNorm2d(c_in, affine=False), convolution, nn.ReLU())
        affine = not halving or net.skeleton == "imagenet"  # as in the official code: the published counts say so too
        return nn.Sequential(*signed(c_in, width, kernel, stride, arithmetic=XNOR, affine=affine), nn.ReLU())

    def operation(self, name: str, width: int, stride: int, net: Network) -> nn.Module:
        """See `binary.cells.space.FORMS`."""
        if (plain := self.plain(name, width, stride, net)) is not None:
            return plain
        kernel, dilation = CONVOLUTIONS[name]
        layers = signed(width, width, kernel, stride, arithmetic=XNOR, dilation=dilation, affine=net.affine)
        return nn.Sequential(*layers, nn.ReLU())

    def beside(self, c_in: int, c_out: int, stride: int, net: Network) -> nn.Module | None:
        """The shortcut between cells (section 4.2): the cell before, halved by a real 2x2 convolution where the resolution is."""
        if stride == 1:
            return nn.Identity()
        return nn.Sequential(nn.BatchNorm2d(c_in, affine=net.affine), Even(), nn.Conv2d(c_in, c_out, 2, 2))
