"""The operations of the DARTS family (arXiv 1806.09055, section 3.1.1; details as in the official code)."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from classification.cells.space import NOISE, Network
from common.layers import Convolved

Image = Float[Tensor, "n c h w"]
Make = Callable[[int, int, Network], nn.Module]
"""(channels, stride, network it is for) -> module; of the network it reads `affine` and `pool_norm`."""


class Zero(nn.Module):
    """No connection: zeros of the shape that an operation would give."""

    zeros: ClassVar[bool] = True

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Image) -> Float[Tensor, "n c i j"]:
        """Zeros."""
        return torch.zeros_like(x[:, :, :: self.stride, :: self.stride])


class FactorizedReduce(nn.Module):
    """Halves the resolution by two 1x1 convolutions of half the channels each, the second one on the image shifted by a pixel.

    An odd edge is padded by a row of zeros for the second one; the published sizes have none.
    """

    def __init__(self, c_in: int, c_out: int, affine: bool) -> None:
        """Makes the layer; `c_out` is even."""
        super().__init__()
        self.relu = nn.ReLU()
        self.conv_1 = nn.Conv2d(c_in, c_out // 2, 1, bias=False)
        self.conv_2 = nn.Conv2d(c_in, c_out // 2, 1, bias=False)
        self.norm = nn.BatchNorm2d(c_out, affine=affine)

    def forward(self, x: Image) -> Float[Tensor, "n d i j"]:
        """The map at half the resolution, rounded up."""
        x = self.relu(x)
        shifted = F.pad(x, (0, x.shape[3] % 2, 0, x.shape[2] % 2))[:, :, 1:, 1:]
        # every other pixel is taken before the convolutions: torch 2.14 aborts in the backward pass of some strided ones of 1x1
        return self.norm(torch.cat([conv(y[:, :, ::2, ::2]) for conv, y in ((self.conv_1, x), (self.conv_2, shifted))], 1))


def relu_conv_norm(c_in: int, c_out: int, kernel: int, stride: int, affine: bool) -> nn.Sequential:
    """ReLU, a convolution of odd kernel, BatchNorm."""
    conv = nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(nn.ReLU(), conv, nn.BatchNorm2d(c_out, affine=affine))


def _depthwise(width: int, kernel: int, stride: int, dilation: int, affine: bool) -> list[nn.Module]:
    """ReLU, a depthwise and a 1x1 convolution, BatchNorm."""
    padding = dilation * (kernel // 2)
    return [
        nn.ReLU(),
        nn.Conv2d(width, width, kernel, stride, padding, dilation, groups=width, bias=False),
        nn.Conv2d(width, width, 1, bias=False),
        nn.BatchNorm2d(width, affine=affine),
    ]


def _separable(kernel: int) -> Make:
    """Applied twice; the first halves the resolution at stride 2."""
    return lambda width, stride, net: nn.Sequential(
        *_depthwise(width, kernel, stride, 1, net.affine), *_depthwise(width, kernel, 1, 1, net.affine)
    )


def _dilated(kernel: int) -> Make:
    return lambda width, stride, net: nn.Sequential(*_depthwise(width, kernel, stride, 2, net.affine))


def _crossed(kernel: int) -> Make:
    """ReLU, a 1xk and a kx1 convolution, BatchNorm."""
    half = kernel // 2
    return lambda width, stride, net: nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(width, width, (1, kernel), (1, stride), (0, half), bias=False),
        nn.Conv2d(width, width, (kernel, 1), (stride, 1), (half, 0), bias=False),
        nn.BatchNorm2d(width, affine=net.affine),
    )


def _max_pool(kernel: int) -> Make:
    return lambda width, stride, net: _pooled(nn.MaxPool2d(kernel, stride, kernel // 2), width, net)


def _avg_pool(width: int, stride: int, net: Network) -> nn.Module:
    return _pooled(nn.AvgPool2d(3, stride, 1, count_include_pad=False), width, net)


def _pooled(pool: nn.Module, width: int, net: Network) -> nn.Module:
    made = nn.Sequential(pool, nn.BatchNorm2d(width, affine=False)) if net.pool_norm else pool
    made.alike = repr(pool)  # pyright: ignore[reportAttributeAccessIssue, reportArgumentType]  # see `mixtures`
    return made


class Skip(nn.Identity):
    """The identity, with a dropout that keeps a search from relying on it (P-DARTS, arXiv 1904.12760, section 3.3.1).

    Attributes:
        dropout: probability that an entry is dropped during training; `set_skip_dropout` sets it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.dropout = 0.0

    @property
    def alike(self) -> str | None:
        """Its kind among modules that compute the same (see `mixtures`): none where each drops entries of its own."""
        return None if self.training and self.dropout else "skip"

    def forward(self, input: Tensor) -> Tensor:
        """The input."""
        return F.dropout(input, self.dropout) if self.training and self.dropout else input


def _skip(width: int, stride: int, net: Network) -> nn.Module:
    return Skip() if stride == 1 else FactorizedReduce(width, width, net.affine)


class Noise(nn.Module):
    """Standard Gaussian noise of the shape that an operation would give, drawn from torch's generator, which a training seeds.

    In use it gives its mean, zeros: a score must not depend on what was drawn before. A departure; there it is noise always.
    """

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Image) -> Float[Tensor, "n c i j"]:
        """Noise, or its mean."""
        x = x[:, :, :: self.stride, :: self.stride]
        return torch.randn_like(x) if self.training else torch.zeros_like(x)


MAKERS: dict[str, Make] = {
    "none": lambda width, stride, net: Zero(stride),
    "max_pool_3x3": _max_pool(3),
    "avg_pool_3x3": _avg_pool,
    "skip_connect": _skip,
    "sep_conv_3x3": _separable(3),
    "sep_conv_5x5": _separable(5),
    "dil_conv_3x3": _dilated(3),
    "dil_conv_5x5": _dilated(5),
    "sep_conv_7x7": _separable(7),
    "conv_7x1_1x7": _crossed(7),
    "conv_3x1_1x3": _crossed(3),
    "conv 3x3": lambda width, stride, net: relu_conv_norm(width, width, 3, stride, net.affine),
    "max_pool_5x5": _max_pool(5),
    "max_pool_7x7": _max_pool(7),
    "conv 1x1": lambda width, stride, net: relu_conv_norm(width, width, 1, stride, net.affine),
    NOISE: lambda width, stride, net: Noise(stride),
}
"""Name -> constructor: the operations of the search space, then those of other published cells.

Those of NASP, whose genotype gives names alone (conv_3x1_1x3, conv 3x3, max_pool_5x5), are made like the operations of the same
form above."""


KERNELS = {"sep_conv_3x3": (3, 1), "sep_conv_5x5": (5, 1), "sep_conv_7x7": (7, 1), "dil_conv_3x3": (3, 2), "dil_conv_5x5": (5, 2)}
"""Operations that can be merged: kernel and dilation of their depthwise convolution."""


def merged(width: int, stride: int, net: Network, name: str, after: nn.Module) -> nn.Module:
    """An operation of MergeNAS: one depthwise convolution, then what all of an edge share. Other operations are as they are.

    A reconstruction: separable convolutions are applied once, not twice.
    """
    if name not in KERNELS:
        return MAKERS[name](width, stride, net)
    kernel, dilation = KERNELS[name]
    conv = nn.Conv2d(width, width, kernel, stride, dilation * (kernel // 2), dilation, groups=width, bias=False)
    return Convolved(nn.ReLU(), conv, after)


def pointwise(width: int, net: Network) -> nn.Module:
    """What follows the depthwise convolutions of an edge."""
    return nn.Sequential(nn.Conv2d(width, width, 1, bias=False), nn.BatchNorm2d(width, affine=net.affine))
