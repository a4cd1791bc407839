"""Prices of networks of tokens and sequences: attention, products of activations, recurrent layers, with open widths."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from common.cost.count import count
from common.cost.price import Price
from common.space import Arch, OneOf, decode, enumerate_all, sample
from common.supernet import choose, conv2d, linear, opened
from tests.common.cost.vit import DEEP, SMALL, Mode, Network

IMAGE = torch.zeros(1, 3, 8, 8)


def assert_prices_are_counts(build: Callable[[Any], nn.Module], space: Any, x: Tensor, archs: list[Arch] | None = None) -> Price:
    price = Price(build(opened(space)), (x,), space)
    costs = set()
    for arch in enumerate_all(space) if archs is None else archs:
        built = count(build(decode(space, arch)), (x,))
        assert price.price(arch) == {"params": built.params, "macs": built.macs}
        costs.add(built.macs)
    assert len(costs) > 1
    return price


@pytest.mark.parametrize("mode", ["fused", "matmul", "bmm", "einsum"])
def test_heads_width_and_depth_of_a_transformer(mode: Mode):
    price = assert_prices_are_counts(lambda net: Network(net, mode), SMALL, IMAGE)
    assert not price.uncounted


@pytest.mark.parametrize("mode", ["fused", "matmul", "bmm", "einsum"])
def test_inner_widths_of_a_block_do_not_reach_the_next(mode: Mode):
    """Otherwise the table of the last block had an entry for each combination of all widths before it."""
    rng = Random(0)
    archs = [sample(DEEP, rng) for _ in range(4)]
    price = assert_prices_are_counts(lambda net: Network(net, mode), DEEP, IMAGE, archs)
    assert max(map(len, price.tables)) == 1
    before = price.traces
    for _ in range(50):
        price.price(sample(DEEP, rng))
    assert price.traces == before == 3, "three options of each decision, and nothing else to learn"


@dataclass(frozen=True)
class Net:
    width: Any = OneOf(4, 8)
    other: Any = OneOf(2, 4, 6)


class Gram(nn.Module):
    """Products between activations of two open widths: over the width, and over the pixels."""

    def __init__(self, net: Net) -> None:
        super().__init__()
        self.left, self.right = conv2d(3, net.width, 1), conv2d(3, net.other, 1)
        self.head = nn.Linear(16, 2)

    def forward(self, x: Tensor) -> Tensor:
        left, right = self.left(x).flatten(2), self.right(x).flatten(2)
        gram = torch.baddbmm(left.new_empty(()), left, right.mT)
        return self.head(gram.mT @ left) + torch.einsum("bij,bin->bj", gram, left @ left.mT @ left).sum()


class Recurrent(nn.Module):
    """A recurrent layer of a chosen hidden width after an elastic one, over a chosen number of steps."""

    def __init__(self, net: Net) -> None:
        super().__init__()
        self.lift = linear(3, 8)
        self.pool = choose(net.width, lambda w: nn.AvgPool1d(w))
        self.layer = choose(net.other, lambda h: nn.LSTM(8, h, 2, batch_first=True, bidirectional=True))
        self.head = linear(12, net.width)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.lift(x.flatten(2).mT).mT).mT
        y, (h, c) = self.layer(x)
        return self.head(F.pad(y, (0, 12 - y.shape[-1]))) + F.linear(h @ c.mT, x.new_empty(1, 1)).sum()


class Multi(nn.Module):
    """`nn.MultiheadAttention` over a number of tokens that is open, beside an elastic layer."""

    def __init__(self, net: Net) -> None:
        super().__init__()
        self.pool = choose(net.other, lambda s: nn.AvgPool2d(s))
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.lift, self.inner, self.out = nn.Conv2d(3, 4, 1), linear(4, net.width), linear(net.width, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.lift(self.pool(x)).flatten(2).transpose(1, 2)
        for _ in range(2):
            x = x + self.attention(x, x, x)[0]
            x = x + self.out(self.inner(x))
        return x


@pytest.mark.parametrize("network", [Gram, Recurrent, Multi])
def test_products_of_activations_and_layers_that_are_not_elastic(network):
    assert_prices_are_counts(network, Net(), torch.zeros(1, 3, 4, 4) if network is Gram else torch.zeros(1, 3, 6, 6))


STEPS: dict[str, Callable[[Tensor], Tensor]] = {
    "transpose": lambda x: x.transpose(1, 2),
    "permute": lambda x: x.permute(2, 0, 1),
    "heads": lambda x: x.view(*x.shape[:-1], -1, 2).transpose(1, 2).flatten(2) if x.shape[-1] % 2 == 0 else x,
    "merge": lambda x: x.flatten(0, 1).unsqueeze(0),
    "split": lambda x: torch.cat(x.chunk(2, -1), 1) if x.shape[-1] % 2 == 0 else x,
    "first": lambda x: x[:, :1] + x[..., None, 0],
    "mean": lambda x: x.mean(1, keepdim=True) + x,
    "sum": lambda x: x.sum((0, 2)).view(1, 1, -1),
    "gram": lambda x: x @ x.mT,
    "product": lambda x: torch.einsum("abc,abd->bcd", x, x),
    "attend": lambda x: F.scaled_dot_product_attention(x, x, x),
    "pad": lambda x: F.pad(x, (1, 1)),
    "stack": lambda x: torch.stack([x, x], 1).flatten(0, 1),
    "convolve": lambda x: F.conv1d(x, x.new_empty(3, x.shape[1], 1)),
    "expand": lambda x: x[:1].expand(2, -1, -1),
}
"""Steps from a tensor of three dimensions to another."""


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(sorted(STEPS)), min_size=1, max_size=5))
def test_any_sequence_of_steps(steps):
    class Steps(nn.Module):
        def __init__(self, net: Net) -> None:
            super().__init__()
            self.long, self.wide = conv2d(1, net.other, 1), linear(4, net.width)

        def forward(self, x: Tensor) -> Tensor:
            x = self.wide(self.long(x).flatten(2))  # (n, other, width)
            for step in steps:
                x = STEPS[step](x)
            return F.linear(x, x.new_empty(5, x.shape[-1]))

    price = Price(Steps(opened(Net())), (torch.zeros(1, 1, 2, 2),), Net())
    for arch in enumerate_all(Net()):
        built = count(Steps(decode(Net(), arch)), (torch.zeros(1, 1, 2, 2),))
        assert price.price(arch) == {"params": built.params, "macs": built.macs}
