"""One build function per kind of decision, and one that mixes them: what the supernet tests run on."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from common.space import ManyOf, OneOf, Repeat
from common.supernet import batch_norm, choose, choose_inputs, conv2d, depthwise, fmap, instance_norm, linear, repeat


@dataclass(frozen=True)
class Mixed:
    width: Any  # elastic, read by several layers
    kernels: Any  # a choice per block
    elastic_kernel: Any  # a centre crop
    deep: Any  # a Repeat of widths
    inputs: Any  # a subset of the block outputs
    position: Any  # where the resolution doubles, as in HNAS
    features: Any  # of the linear layer


class Block(nn.Module):
    def __init__(self, width: Any, kernel: Any, elastic_kernel: Any, doubles: Any) -> None:
        super().__init__()
        wide = fmap(lambda c: 2 * c, width)
        self.conv = choose(kernel, lambda k: conv2d(wide, width, k))
        self.norm = batch_norm(width)
        self.depthwise = depthwise(width, elastic_kernel, bias=False)
        self.instance = instance_norm(width, affine=True)
        self.expand = conv2d(width, wide, 1)
        self.up = choose(doubles, lambda d: nn.Upsample(scale_factor=2) if d else nn.Identity())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.instance(self.depthwise(torch.relu(self.norm(self.conv(x)))))
        return self.up(x + self.expand(y))


class Residual(nn.Module):
    def __init__(self, width: Any, hidden: Any) -> None:
        super().__init__()
        wide = fmap(lambda c: 2 * c, width)
        self.reduce = conv2d(wide, hidden, 1)
        self.norm = batch_norm(hidden)
        self.grow = conv2d(hidden, wide, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.grow(torch.relu(self.norm(self.reduce(x))))


class Network(nn.Module):
    def __init__(self, net: Mixed) -> None:
        super().__init__()
        wide = fmap(lambda c: 2 * c, net.width)
        self.stem = conv2d(3, wide, 3)
        self.blocks = nn.ModuleList(
            Block(net.width, k, net.elastic_kernel, fmap(lambda p, i=i: p == i, net.position)) for i, k in enumerate(net.kernels)
        )
        self.deep = repeat(net.deep, lambda _, hidden: Residual(net.width, hidden))
        self.inputs = choose_inputs(net.inputs)
        self.hidden = linear(wide, net.features)
        self.head = linear(net.features, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        outputs = []
        for block in self.blocks:
            x = block(x)
            outputs.append(x)
        x = self.deep(x)
        pooled = [y.mean((2, 3)) for y in [*outputs, x]]
        return self.head(torch.relu(self.hidden(self.inputs(pooled))))


def build(net: Mixed) -> nn.Module:
    return Network(net)


SPACE = Mixed(
    width=OneOf(4, 6, 8),
    kernels=tuple(OneOf(1, 3, 5) for _ in range(2)),
    elastic_kernel=OneOf(3, 5),
    deep=Repeat(OneOf(2, 4), OneOf(0, 1, 2)),
    inputs=ManyOf((0, 1, 2), 1, 2),
    position=OneOf(0, 1),
    features=OneOf(6, 10),
)

LITTLE = Mixed(
    width=OneOf(2, 4),
    kernels=(OneOf(1, 3),),
    elastic_kernel=OneOf(1, 3),
    deep=Repeat(OneOf(2, 3), OneOf(0, 1)),
    inputs=ManyOf((0, 1), 1, 2),
    position=OneOf(0, 1),
    features=OneOf(3, 4),
)
"""The same decisions with fewer weights, for tests that go through them one by one."""
