"""The backbone that DetNAS searches: blocks in the style of ShuffleNetV2 (Ma et al., 1807.11164; 1903.10979, section 3.2).

Two channel shuffles are in use and are not the same permutation; this is the even/odd split of DetNAS's release: even channels
pass, odd ones go through the main branch.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from common.supernet import batch_norm, choose, conv2d, depthwise, repeat
from detection.backbones.descriptions import MOBILE, ShuffleNet, Stage


def norm_relu(width: Any) -> list[tuple[str, nn.Module]]:
    """BatchNorm and ReLU with the names they have in every chain; the width may be open."""
    return [("norm", batch_norm(width)), ("relu", nn.ReLU(inplace=True))]


def named(*parts: tuple[str, nn.Module]) -> nn.Sequential:
    """A chain of modules by name."""
    chain = nn.Sequential()
    for name, part in parts:
        chain.add_module(name, part)
    return chain


def _pointwise(c_in: Any, c_out: Any) -> nn.Sequential:
    return named(("conv", conv2d(c_in, c_out, 1, bias=False)), *norm_relu(c_out))


def _depthwise(width: Any, kernel: int, stride: int) -> nn.Sequential:
    return named(("conv", depthwise(width, kernel, stride, bias=False)), ("norm", batch_norm(width)))


class Block(nn.Module):
    """One of the four blocks; at stride 1 half of the channels pass untouched, at stride 2 a projection takes their place.

    Only the channels inside the main branch may be open. The channels that enter and leave a block are fixed, so that the split
    into even and odd channels is the same on every path.
    """

    def __init__(self, kind: str, c_in: int, c_out: int, stride: int, inner: Any = None) -> None:
        """Makes a block.

        Args:
            kind: one of `KINDS`.
            c_in: input channels; equal to `c_out` at stride 1.
            c_out: output channels, even.
            stride: 1 or 2.
            inner: channels inside the main branch, settled or open; None: half of `c_out`.
        """
        super().__init__()
        self.stride = stride
        mid = c_out // 2 if inner is None else inner
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


class Bottleneck(nn.Module):
    """An inverted bottleneck: 1x1, depthwise, 1x1 without ReLU; at stride 1 its input is added (MobileNetV2, 1801.04381).

    Every width may be open: a path uses the leading channels, which mean the same at every width, since nothing splits them.
    """

    def __init__(self, kernel: int, c_in: Any, c_out: Any, stride: int, inner: Any) -> None:
        """Makes a block.

        Args:
            kernel: of the depthwise convolution, odd.
            c_in: input channels; those of the output at stride 1.
            c_out: output channels.
            stride: 1 or 2.
            inner: channels of the depthwise convolution.
        """
        super().__init__()
        self.shortcut = stride == 1
        self.main = named(
            ("expand", _pointwise(c_in, inner)),
            ("depthwise", named(("conv", depthwise(inner, kernel, stride, bias=False)), *norm_relu(inner))),
            ("reduce", named(("conv", conv2d(inner, c_out, 1, bias=False)), ("norm", batch_norm(c_out)))),
        )

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d i j"]:
        """The block's map."""
        return x + self.main(x) if self.shortcut else self.main(x)


def _block(kind: str, c_in: Any, c_out: Any, stride: int, inner: Any) -> nn.Module:
    return Bottleneck(int(kind[-1]), c_in, c_out, stride, inner) if kind in MOBILE else Block(kind, c_in, c_out, stride, inner)


def _stage(stage: Stage, c_in: Any) -> nn.Sequential:
    def block(i: int, kind: Any) -> nn.Module:
        width, stride = (c_in, 2) if i == 0 else (stage.width, 1)
        return choose(kind, lambda k: _block(k, width, stage.width, stride, stage.inner))

    chain = repeat(stage.blocks, block)
    assert isinstance(chain, nn.Sequential)
    return chain


class ShuffleNetBackbone(nn.Module):
    """The backbone of a description, open or settled.

    Attributes:
        channels: of the maps returned; open where widths are.
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
