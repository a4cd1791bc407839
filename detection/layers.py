"""Layers as TensorFlow has them, where published detectors need the same numbers: its padding and its BatchNorm."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

NORM: Any = partial(nn.BatchNorm2d, eps=1e-3, momentum=0.01)
"""BatchNorm of the EfficientNet and EfficientDet releases (there: momentum 0.99 of the old value)."""


def set_momentum(module: nn.Module, momentum: float | None) -> None:
    """Gives every BatchNorm of a module the weight of a batch in its running statistics; None leaves them as they are."""
    for part in module.modules():
        if momentum is not None and isinstance(part, nn.BatchNorm2d):
            part.momentum = momentum


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """TensorFlow's SAME padding of one side of an image: (before, after); the result has ceil(size / stride) elements.

    >>> same_padding(8, 3, 2), same_padding(7, 3, 2), same_padding(8, 3, 1)
    ((0, 1), (1, 1), (1, 1))
    """
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class SameConv2d(nn.Conv2d):
    """A convolution with SAME padding: the output has ceil(size / stride) rows and columns."""

    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1, *, groups: int = 1, bias: bool = True) -> None:
        """Makes the convolution; at stride 1 the padding is symmetric and an ordinary one."""
        super().__init__(c_in, c_out, kernel, stride, kernel // 2 if stride == 1 else 0, groups=groups, bias=bias)
        self._side, self._step = kernel, stride

    def forward(self, input: Tensor) -> Tensor:
        """(n, c_in, h, w) -> (n, c_out, ceil(h / stride), ceil(w / stride))."""
        return super().forward(input if self._step == 1 else _padded(input, self._side, self._step, 0.0))


class SameMaxPool2d(nn.Module):
    """Max-pooling with a window of stride + 1 and SAME padding."""

    def __init__(self, stride: int) -> None:
        """Pools by `stride`, at least 2."""
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) -> (n, c, ceil(h / stride), ceil(w / stride))."""
        return F.max_pool2d(_padded(x, self.stride + 1, self.stride, -torch.inf), self.stride + 1, self.stride)


def _padded(x: Tensor, kernel: int, stride: int, value: float) -> Tensor:
    (top, bottom), (left, right) = (same_padding(size, kernel, stride) for size in x.shape[-2:])
    return F.pad(x, (left, right, top, bottom), value=value) if top or bottom or left or right else x


class SeparableConv2d(nn.Sequential):
    """A depthwise 3x3 convolution without bias, then a 1x1 convolution with one."""

    def __init__(self, c_in: int, c_out: int) -> None:
        """Makes the two convolutions."""
        super().__init__()
        self.add_module("depthwise", SameConv2d(c_in, c_in, 3, groups=c_in, bias=False))
        self.add_module("pointwise", nn.Conv2d(c_in, c_out, 1))
