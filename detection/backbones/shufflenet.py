"""The backbone that DetNAS searches: blocks in the style of ShuffleNetV2 (Ma et al., 1807.11164; 1903.10979, section 3.2).

Two channel shuffles are in use and are not the same permutation; this is the even/odd split of DetNAS's release: even channels
pass, odd ones go through the main branch.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from common.supernet import choose
from detection.backbones.descriptions import ShuffleNet, Stage


def norm_relu(width: int) -> list[tuple[str, nn.Module]]:
    """BatchNorm and ReLU with the names they have in every chain."""
    return [("norm", nn.BatchNorm2d(width)), ("relu", nn.ReLU(inplace=True))]


def named(*parts: tuple[str, nn.Module]) -> nn.Sequential:
    """A chain of modules by name."""
    chain = nn.Sequential()
    for name, part in parts:
        chain.add_module(name, part)
    return chain


def _pointwise(c_in: int, c_out: int) -> nn.Sequential:
    return named(("conv", nn.Conv2d(c_in, c_out, 1, bias=False)), *norm_relu(c_out))


def _depthwise(width: int, kernel: int, stride: int) -> nn.Sequential:
    conv = nn.Conv2d(width, width, kernel, stride, kernel // 2, groups=width, bias=False)
    return named(("conv", conv), ("norm", nn.BatchNorm2d(width)))


class Block(nn.Module):
    """One of the four blocks; at stride 1 half of the channels pass untouched, at stride 2 a projection takes their place."""

    def __init__(self, kind: str, c_in: int, c_out: int, stride: int) -> None:
        """Makes a block.

        Args:
            kind: one of `KINDS`.
            c_in: input channels; equal to `c_out` at stride 1.
            c_out: output channels, even.
            stride: 1 or 2.
        """
        super().__init__()
        self.stride = stride
        mid = c_out // 2
        first = c_in if stride == 2 else c_in // 2
        kernel = 3 if kind == "xception3" else int(kind[-1])
        if kind == "xception3":
            self.main = named(
                ("first", _depthwise(first, 3, stride)),
                ("reduce", _pointwise(first, mid)),
                ("depthwise", _depthwise(mid, 3, 1)),
                ("between", _pointwise(mid, mid)),
                ("third", _depthwise(mid, 3, 1)),
                ("expand", _pointwise(mid, c_out - first)),
            )
        else:
            self.main = named(
                ("reduce", _pointwise(first, mid)),
                ("depthwise", _depthwise(mid, kernel, stride)),
                ("expand", _pointwise(mid, c_out - first)),
            )
        if stride == 2:
            self.project = named(("depthwise", _depthwise(c_in, kernel, 2)), ("expand", _pointwise(c_in, c_in)))

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d i j"]:
        """The block's map."""
        if self.stride == 2:
            return torch.cat((self.project(x), self.main(x)), 1)
        return torch.cat((x[:, 0::2], self.main(x[:, 1::2])), 1)


def _stage(stage: Stage, c_in: int) -> nn.Sequential:
    blocks = []
    for i, kind in enumerate(stage.blocks):
        width, stride = (c_in, 2) if i == 0 else (stage.width, 1)
        blocks.append(choose(kind, lambda k, w=width, s=stride: Block(k, w, stage.width, s)))
    return nn.Sequential(*blocks)


class ShuffleNetBackbone(nn.Module):
    """The backbone of a description, open or settled.

    Attributes:
        channels: of the maps returned.
        strides: of the maps returned.
    """

    def __init__(self, net: ShuffleNet, finest: int = 4) -> None:
        """Makes the backbone.

        Args:
            net: open or settled.
            finest: maps of a smaller stride are not returned.
        """
        super().__init__()
        self.stem = named(("conv", nn.Conv2d(3, net.stem, 3, 2, 1)), *norm_relu(net.stem))
        widths = [net.stem, *(stage.width for stage in net.stages)]
        self.stages = nn.ModuleList(_stage(stage, c_in) for stage, c_in in zip(net.stages, widths, strict=False))
        strides = tuple(4 * 2**i for i in range(len(net.stages)))
        self._first = next((i for i, stride in enumerate(strides) if stride >= finest), len(strides))
        self.channels, self.strides = tuple(widths[self._first + 1 :]), strides[self._first :]

    def forward(self, x: Float[Tensor, "n 3 h w"]) -> tuple[Tensor, ...]:
        """Maps of the stages whose stride is `finest` at least."""
        x = self.stem(x)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return tuple(maps[self._first :])
