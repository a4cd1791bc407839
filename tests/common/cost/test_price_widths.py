"""Prices of spaces with widths of 1 and of many decisions with many options: exact, and without running an option twice."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from common.cost.count import count
from common.cost.price import Price, _joined
from common.space import OneOf, Repeat, decode, enumerate_all, sample
from common.supernet import batch_norm, choose, conv2d, depthwise, linear, opened, repeat


@dataclass(frozen=True)
class Net:
    w: Any


class Between(nn.Module):
    """Two layers of an inner width, with something between them."""

    def __init__(self, width: Any, change: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.narrow, self.widen, self.change = linear(8, width), linear(width, 8), change

    def forward(self, x: Tensor) -> Tensor:
        return self.widen(self.change(self.narrow(x)))


def by_rank(h: Tensor) -> Tensor:
    """At width 1 nothing is left to squeeze but a number, which has no dimension."""
    h = h.squeeze()
    return h[None, None] @ torch.ones(1, 1) if h.dim() == 0 else h[None]


CHANGES: dict[str, Callable[[Tensor], Tensor]] = {
    "nothing": lambda h: h,
    "relu": lambda h: F.relu(h, inplace=True),
    "squeeze": lambda h: h.squeeze().reshape(1, -1),
    "squeeze in place": lambda h: h.squeeze_(0).reshape(1, -1),
    "rank": by_rank,
    "product": lambda h: h.squeeze().reshape(1, -1) * h,
    "atleast": lambda h: torch.atleast_2d(h.squeeze()),
    "normalise": lambda h: h / h.norm(dim=-1, keepdim=True),
    "unbind": lambda h: torch.stack(h.unbind(-1), -1),
}


@pytest.mark.parametrize("widths", [(1, 2), (2, 1), (1, 8, 3)])
@pytest.mark.parametrize("change", CHANGES)
def test_a_width_of_1_has_an_exact_price(change, widths):
    def build(net: Net) -> nn.Module:
        return repeat(net.w, lambda _, width: Between(width, CHANGES[change]))

    for count_of in (2, OneOf(1, 2)):
        space, image = Net(Repeat(OneOf(*widths), count_of)), torch.zeros(1, 8)
        price = Price(build(opened(space)), (image,), space)
        for arch in enumerate_all(space):
            built = count(build(decode(space, arch)), (image,))
            assert price.price(arch) == {"params": built.params, "macs": built.macs}, arch


def test_convolutions_of_one_channel():
    def build(net: Net) -> nn.Module:
        blocks = [nn.Sequential(conv2d(4, w, 1), batch_norm(w), depthwise(w, 3), conv2d(w, 4, 3)) for w in net.w]
        return nn.Sequential(*blocks)

    space, image = Net(Repeat(OneOf(1, 2), 2)), torch.zeros(1, 4, 5, 5)
    price = Price(build(opened(space)), (image,), space)
    for arch in enumerate_all(space):
        built = count(build(decode(space, arch)), (image,))
        assert price.price(arch) == {"params": built.params, "macs": built.macs}
    assert max(map(len, price.tables)) == 1


class Counting(nn.Linear):
    runs = 0

    def forward(self, input: Tensor) -> Tensor:
        Counting.runs += 1
        return super().forward(input)


def build_choices(net: Net) -> nn.Module:
    return nn.Sequential(*[choose(w, lambda w: nn.Sequential(Counting(8, w), nn.Linear(w, 8))) for w in net.w])


def build_blocks(net: Net) -> nn.Module:
    return nn.Sequential(*[nn.Sequential(linear(8, w), nn.ReLU(), linear(w, 8)) for w in net.w])


def build_chain(net: Net) -> nn.Module:
    widths = (8, *net.w, 3)
    return nn.Sequential(*[linear(a, b) for a, b in pairwise(widths)])


@pytest.mark.parametrize("build", [build_choices, build_blocks, build_chain])
def test_many_options_of_many_decisions_have_exact_prices(build):
    space, image = Net(tuple(OneOf(*range(1, 21)) for _ in range(12))), torch.zeros(1, 8)
    Counting.runs = 0
    price = Price(build(opened(space)), (image,), space)
    assert Counting.runs <= 2 * 12 * 20  # once with the others and once alone, not in each of 20 traces
    assert price.traces <= 20 + (16 if build is build_chain else 0)
    rng = Random(0)
    for _ in range(5):
        arch = sample(space, rng)
        built = count(build(decode(space, arch)), (image,))
        assert price.price(arch) == {"params": built.params, "macs": built.macs}


class Remembers(nn.Module):
    """The options resize to a size that the network has left with them: no input says it."""

    def __init__(self, net: Net) -> None:
        super().__init__()
        self.pool = choose(net.w[0], lambda s: nn.MaxPool2d(s, s))
        self.option = choose(net.w[1], Resized)

    def forward(self, x: Tensor) -> Tensor:
        size = self.pool(x).shape[-1]
        for option in [self.option, *self.option.children(), *self.option.modules()]:
            option.size = size
        return self.option(x)


class Resized(nn.Module):
    size: int

    def __init__(self, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, kernel, padding=kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.interpolate(x, size=(self.size, self.size)))


def test_options_that_remember_are_compared_anew():
    space, image = Net((OneOf(1, 2, 4), OneOf(1, 3))), torch.zeros(1, 3, 8, 8)
    price = Price(Remembers(opened(space)), (image,), space)
    for arch in enumerate_all(space):
        built = count(Remembers(decode(space, arch)), (image,))
        assert price.price(arch) == {"params": built.params, "macs": built.macs}


class Sized(nn.Module):
    """Gives a number with its output: what it has read of the input's shape, or a fixed one."""

    def __init__(self, reads: bool) -> None:
        super().__init__()
        self.reads, self.layer = reads, nn.Linear(2, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, int]:
        size = x.shape[-1] if self.reads else 3
        return self.layer(x.sum(-1, keepdim=True).expand(1, 2)), size


def test_what_one_option_reads_does_not_bear_on_another():
    class Two(nn.Module):
        def __init__(self, net: Net) -> None:
            super().__init__()
            self.first = linear(8, net.w[0])
            self.second = choose(net.w[1], Sized)

        def forward(self, x: Tensor) -> Tensor:
            return self.second(self.first(x))[0]

    space, image = Net((OneOf(2, 3), OneOf(True, False))), torch.zeros(1, 8)
    price = Price(Two(opened(space)), (image,), space)
    for arch in enumerate_all(space):
        built = count(Two(decode(space, arch)), (image,))
        assert price.price(arch) == {"params": built.params, "macs": built.macs}
    joint = price.tables.get(("w.0", "w.1"), {})
    assert all(entry == (0, 0) for (_, option), entry in joint.items() if option == 1), "the second option reads no shape"


def test_tables_of_pairs_are_joined_up_to_a_limit():
    options = dict.fromkeys("abcdef", 8) | {"many": 5000}
    pairs = [("a", "b"), ("b", "c"), ("c", "d"), ("d", "e"), ("a", "many")]
    tables = {pair: {(i, j): 1000 * i + j for i in range(8) for j in range(7)} for pair in pairs}
    joined = _joined(tables, options)
    assert [table.paths for table in joined] == [("a", "b", "c", "d"), ("d", "e"), ("a", "many")]
    assert joined[0][3, 0, 5, 2] == 3000 + 5 + 5002 and dict(joined[0]) == {(3, 0, 5, 2): 8007}
    with pytest.raises(KeyError):
        joined[0][3, 7, 5, 2]  # no table has (3, 7): it is traced
    assert dict(joined[0]) == {(3, 0, 5, 2): 8007}
