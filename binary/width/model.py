"""VGG-small and ResNet-18 with binary convolutions: one build for standalone networks and supernets."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from binary.layers.activations import Sign, ZeroOne
from binary.layers.convolution import Binary, binary_conv2d
from binary.width.space import BLOCKS, VGG, Network, ResNet
from common.supernet import batch_norm, conv2d, fmap, linear

DOREFA = Binary(scale="layer", gradient="straight")
"""One-bit weights of DoReFa-Net (1606.06160), as the released code has them."""
BIREAL = Binary(scale="filter", gradient="clipped")
"""Weights of Bi-Real Net (1808.00278)."""


def channels(base: int, ratio: Any) -> Any:
    """The width of a ratio, fixed or open: rounded down."""
    return fmap(lambda r: int(base * r), ratio)


def _vgg(net: VGG) -> nn.Module:
    """Order of the released code: quantise, convolve, pool, normalise; no ReLU."""
    widths = [channels(base, ratio) for base, ratio in zip(net.base, net.ratios, strict=True)]
    layers: list[nn.Module] = [conv2d(3, widths[0], 3, bias=False)]
    for i, width in enumerate(widths):
        if i:
            layers += [ZeroOne(), binary_conv2d(widths[i - 1], width, 3, arithmetic=DOREFA)]
        if i % 2:
            layers.append(nn.MaxPool2d(2))
        layers.append(batch_norm(width))
    area = (net.side // 2 ** (len(widths) // 2)) ** 2
    return nn.Sequential(*layers, nn.Flatten(), linear(fmap(lambda width: width * area, widths[-1]), net.classes))


class Around(nn.Module):
    """A body with a shortcut around it."""

    def __init__(self, body: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """The sum."""
        return self.body(x) + self.shortcut(x)


def _binary(net: ResNet, c_in: Any, c_out: Any, kernel: int, stride: int = 1) -> nn.Module:
    """Binary activations, a binary convolution and a norm; widths are fixed or open."""
    signs = net.activations == "sign"
    return nn.Sequential(
        Sign("polynomial") if signs else ZeroOne(),
        binary_conv2d(c_in, c_out, kernel, stride, arithmetic=BIREAL if signs else DOREFA),
        batch_norm(c_out),
    )


def _shortcut(net: ResNet, c_in: Any, c_out: Any, stride: int) -> nn.Module:
    """The identity, or what changes resolution and width alike."""
    if stride == 1:
        return nn.Identity()
    if net.downsample == "binary":
        return _binary(net, c_in, c_out, 1, stride)
    return nn.Sequential(nn.AvgPool2d(2), conv2d(c_in, c_out, 1, bias=False), batch_norm(c_out))


def _block(net: ResNet, c_in: Any, middle: Any, c_out: Any, stride: int) -> nn.Module:
    first, second = _binary(net, c_in, middle, 3, stride), _binary(net, middle, c_out, 3)
    if net.shortcuts == "blocks":
        return Around(nn.Sequential(first, second), _shortcut(net, c_in, c_out, stride))
    return nn.Sequential(Around(first, _shortcut(net, c_in, middle, stride)), Around(second, nn.Identity()))


def _resnet(net: ResNet) -> nn.Module:
    widths = [channels(base, ratio) for base, ratio in zip(net.base, net.stages, strict=True)]
    small = net.stem == "small"
    stem = [conv2d(3, widths[0], 3, bias=False)] if small else [conv2d(3, widths[0], 7, 2, bias=False)]
    layers: list[nn.Module] = [*stem, batch_norm(widths[0]), *([] if small else [nn.MaxPool2d(3, 2, 1)])]
    before = widths[0]
    for stage, width in enumerate(widths):
        for block in range(BLOCKS):
            middle = channels(net.base[stage], net.inner[BLOCKS * stage + block])
            layers.append(_block(net, before, middle, width, 2 if stage and not block else 1))
            before = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), linear(before, net.classes))


def build(net: Network, seed: int = 0) -> nn.Module:
    """The network of a description, open or settled; weights are a function of `seed`, and torch's defaults otherwise."""
    devices: list[int] = []
    with torch.random.fork_rng(devices):
        torch.default_generator.manual_seed(seed)
        return _vgg(net) if isinstance(net, VGG) else _resnet(net)
