"""A binary MobileNet with grouped convolutions: one build for standalone networks and supernets."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from binary.groups.space import DEPTHWISE, Network, inputs
from binary.layers.activations import rprelu, rsign
from binary.layers.convolution import Binary, binary_conv2d
from common.supernet import fmap

REACTNET = Binary(scale="filter", gradient="clipped")
"""Weights of ReActNet (2003.03488): the scale, of the part of a filter that a path uses, has no gradient."""


class Block(nn.Module):
    """A grouped 3x3 and a 1x1 convolution, each behind a shifted sign and within a shortcut of its own.

    Where the resolution halves, the first shortcut is an average pool; where the width doubles, the second one is its input
    twice.
    """

    def __init__(self, width: int, out: int, stride: int, groups: Any) -> None:
        """Makes the layers from `width` to `out` channels; `groups` is a number, `DEPTHWISE`, or a decision between them."""
        super().__init__()
        parts = fmap(lambda number: width if number == DEPTHWISE else number, groups)
        self.spatial = nn.Sequential(
            rsign(width), binary_conv2d(width, width, 3, stride, groups=parts, arithmetic=REACTNET), nn.BatchNorm2d(width)
        )
        self.pool = nn.AvgPool2d(2) if stride == 2 else nn.Identity()
        self.between = rprelu(width)
        self.point = nn.Sequential(rsign(width), binary_conv2d(width, out, 1, arithmetic=REACTNET), nn.BatchNorm2d(out))
        self.copies = out // width
        self.behind = rprelu(out)

    def forward(self, x: Tensor) -> Tensor:
        """The block's output."""
        x = self.between(self.spatial(x) + self.pool(x))
        return self.behind(self.point(x) + (x if self.copies == 1 else torch.cat([x, x], 1)))


def build(net: Network, seed: int = 0) -> nn.Module:
    """The network of a description, open or settled; weights are a function of `seed`, and torch's defaults otherwise."""
    devices: list[int] = []
    with torch.random.fork_rng(devices):
        torch.default_generator.manual_seed(seed)
        layers: list[nn.Module] = [nn.Conv2d(3, net.stem, 3, net.stride, 1, bias=False), nn.BatchNorm2d(net.stem)]
        for width, block, groups in zip(inputs(net.blocks, net.stem), net.blocks, net.groups, strict=True):
            layers.append(Block(width, block.width, block.stride, groups))
        last = net.blocks[-1].width
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(last, net.classes))
