"""Networks that the cost tests price: a chain of choices as in DetNAS, small enough for a phone."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from common.space import OneOf
from common.supernet import choose


@dataclass(frozen=True)
class Chain:
    kernels: tuple[Any, ...]


def block(width: int, kernel: int, stride: int) -> nn.Module:
    if kernel == 0:
        return nn.Conv2d(width, width, 1, stride)
    return nn.Sequential(
        nn.Conv2d(width, width, kernel, stride, kernel // 2, groups=width, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, width, 1, bias=False),
        nn.BatchNorm2d(width),
    )


class Net(nn.Module):
    def __init__(self, chain: Chain) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, 2, 1)
        self.blocks = nn.Sequential(
            *(choose(k, lambda k, i=i: block(8, k, 2 if i % 10 == 0 else 1)) for i, k in enumerate(chain.kernels))
        )
        self.head = nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(self.stem(x)).mean((2, 3)))


def build(chain: Chain) -> nn.Module:
    return Net(chain)


def chain_space(length: int) -> Chain:
    return Chain(tuple(OneOf(0, 3, 5, 7) for _ in range(length)))
