"""EfficientNet as a backbone (Tan and Le, 1905.11946, table 1); layers as in its TensorFlow release."""

from __future__ import annotations

from torch import Tensor, nn
from torchvision.ops import StochasticDepth

from detection.backbones.descriptions import EfficientNet
from detection.layers import NORM, SameConv2d


class SqueezeExcite(nn.Module):
    """Scales channels by a function of their means (1709.01507)."""

    def __init__(self, width: int, squeezed: int) -> None:
        """Makes the two 1x1 convolutions, width -> squeezed -> width."""
        super().__init__()
        self.reduce = nn.Conv2d(width, squeezed, 1)
        self.act = nn.SiLU(inplace=True)
        self.expand = nn.Conv2d(squeezed, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Scales (n, width, h, w)."""
        return x * self.expand(self.act(self.reduce(x.mean((2, 3), keepdim=True)))).sigmoid()


class MBConv(nn.Module):
    """An inverted bottleneck: expand, depthwise, squeeze and excite, project; with a shortcut where shapes allow one."""

    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int, expand: int, drop_path: float) -> None:
        """Makes a block; without an expansion where `expand` is 1."""
        super().__init__()
        inner = c_in * expand
        parts: list[tuple[str, nn.Module]] = []
        if expand != 1:
            parts += [("expand", SameConv2d(c_in, inner, 1, bias=False)), ("norm1", NORM(inner)), ("act1", nn.SiLU(inplace=True))]
        parts += [
            ("depthwise", SameConv2d(inner, inner, kernel, stride, groups=inner, bias=False)),
            ("norm2", NORM(inner)),
            ("act2", nn.SiLU(inplace=True)),
            ("se", SqueezeExcite(inner, max(1, c_in // 4))),
            ("project", SameConv2d(inner, c_out, 1, bias=False)),
            ("norm3", NORM(c_out)),
        ]
        self.main = nn.Sequential()
        for name, part in parts:
            self.main.add_module(name, part)
        self.shortcut = stride == 1 and c_in == c_out
        self.drop = StochasticDepth(drop_path, "row")

    def forward(self, x: Tensor) -> Tensor:
        """(n, c_in, h, w) -> (n, c_out, ceil(h / stride), ceil(w / stride))."""
        return x + self.drop(self.main(x)) if self.shortcut else self.main(x)


class EfficientNetBackbone(nn.Module):
    """The backbone of a description.

    Attributes:
        channels: of the maps returned.
        strides: of the maps returned.
    """

    def __init__(self, net: EfficientNet, finest: int = 1) -> None:
        """Makes the backbone; maps of a smaller stride than `finest` are not returned."""
        super().__init__()
        returned = [i for i in net.taps if net.stride(i) >= finest]
        self._taps = frozenset(returned)
        self.channels = tuple(net.stages[i].width for i in returned)
        self.strides = tuple(net.stride(i) for i in returned)
        self.stem = nn.Sequential()
        self.stem.add_module("conv", SameConv2d(3, net.stem, 3, 2, bias=False))
        self.stem.add_module("norm", NORM(net.stem))
        self.stem.add_module("act", nn.SiLU(inplace=True))
        total, done, width = sum(stage.blocks for stage in net.stages), 0, net.stem
        stages = []
        for stage in net.stages:
            blocks = []
            for i in range(stage.blocks):
                drop = net.drop_path * done / total
                blocks.append(MBConv(width, stage.width, stage.kernel, stage.stride if i == 0 else 1, stage.expand, drop))
                width, done = stage.width, done + 1
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(stages)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """The maps of the stages in `taps`."""
        x = self.stem(x)
        maps = []
        for i, stage in enumerate(self.stages):
            x = stage(x)
            if i in self._taps:
                maps.append(x)
        return tuple(maps)
