"""Law 5: the price without building is what counting the extracted network gives."""

from dataclasses import dataclass
from random import Random
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from common.cost.bounds import cheapest, dearest
from common.cost.count import count
from common.cost.price import Price
from common.errors import UserError
from common.space import Arch, OneOf, Repeat, Where, decisions, decode, enumerate_all, sample
from common.supernet import Supernet, batch_norm, choose, conv2d, depthwise, linear, opened, repeat
from tests.common.cost.chains import build as build_chain
from tests.common.cost.chains import chain_space
from tests.common.supernet import networks as mixed


@dataclass(frozen=True)
class Wide:
    """Residual blocks of elastic inner width (as in once-for-all), in a searchable number."""

    blocks: Any


class Inverted(nn.Module):
    def __init__(self, hidden: Any, kernel: Any) -> None:
        super().__init__()
        self.expand, self.norm = conv2d(4, hidden, 1, bias=False), batch_norm(hidden)
        self.spatial, self.project = depthwise(hidden, kernel, bias=False), conv2d(hidden, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.project(F.relu6(self.spatial(F.relu6(self.norm(self.expand(x))))))


def build_wide(net: Wide) -> nn.Module:
    return nn.Sequential(
        conv2d(3, 4, 3), repeat(net.blocks, lambda _, b: Inverted(*b)), nn.AdaptiveAvgPool2d(1), nn.Flatten(), linear(4, 3)
    )


WIDE = Wide(Repeat((OneOf(4, 8, 12), OneOf(3, 5)), OneOf(2, 4, 6)))


@dataclass(frozen=True)
class Nested:
    """Options that hold decisions, one option twice the size of another, one that changes the shape for those after it."""

    first: Any
    second: Any


@dataclass(frozen=True)
class Bottle:
    inner: Any


class Pyramid(nn.Module):
    """Reads a shape as a number, shares a layer, and branches on a size."""

    def __init__(self, net: Nested) -> None:
        super().__init__()
        self.first = choose(net.first, lambda o: nn.Identity() if o is None else choose(o.inner, lambda k: nn.Conv2d(3, 3, k)))
        self.second = choose(net.second, lambda s: nn.MaxPool2d(s, s))
        self.shared = nn.Conv2d(3, 3, 1)
        self.head = nn.Conv2d(3, 2, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.second(self.first(x))
        small = F.interpolate(x, size=y.shape[-2:])
        if small.shape[-1] > 5:
            small = self.shared(small)
        return self.head(self.shared(small))


NESTED = Nested(OneOf(None, Bottle(OneOf(1, 3, 5))), OneOf(1, 2, 4))


@dataclass(frozen=True)
class Pair:
    width: Any
    then: Any


class Picky(nn.Module):
    """Some options of the second choice take only the width that a rule pairs them with."""

    def __init__(self, net: Pair) -> None:
        super().__init__()
        self.width = choose(net.width, lambda w: nn.Conv2d(3, w, 1))
        self.then = choose(net.then, self.option)
        self.head = conv2d(3, 2, 3)

    def option(self, then: Any) -> nn.Module:
        if isinstance(then, Bottle):
            return choose(then.inner, lambda k: nn.Conv2d(6, 6, k))
        return nn.AvgPool2d(then)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.then(self.width(x))[:, :3])


PICKY = Where(
    Pair(OneOf(4, 6), OneOf(1, Bottle(OneOf(3, 5)), 2)),
    lambda net: net.width == 6 or not isinstance(net.then, Bottle),
    "a bottle takes width 6",
)


class Branch(nn.Module):
    """What runs last depends on two decisions together, and nothing else does."""

    def __init__(self, net: Nested) -> None:
        super().__init__()
        self.first = choose(net.first, lambda s: nn.MaxPool2d(s, s))
        self.second = choose(net.second, lambda s: nn.MaxPool2d(s, s))
        self.late = nn.Conv2d(3, 3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.late(x) if self.second(self.first(x)).shape[-1] > 5 else x


BRANCH = Nested(OneOf(4, 1), OneOf(4, 1))

CASES = {
    "mixed": (mixed.SPACE, mixed.build, torch.zeros(1, 3, 8, 8)),
    "chain": (chain_space(20), build_chain, torch.zeros(1, 3, 32, 32)),
    "wide": (WIDE, build_wide, torch.zeros(1, 3, 8, 8)),
    "picky": (PICKY, Picky, torch.zeros(1, 3, 9, 9)),
    "branch": (BRANCH, Branch, torch.zeros(1, 3, 16, 16)),
    "nested": (NESTED, Pyramid, torch.zeros(1, 3, 17, 17)),
}


@pytest.mark.parametrize("case", CASES)
def test_price_is_the_cost_of_the_extracted_and_of_the_built_network(case):
    space, build, image = CASES[case]
    supernet = Supernet(build(opened(space)), space)
    price = Price(supernet.module, (image,), space)
    rng = Random(0)
    for i in range(50):
        arch = sample(space, rng)
        built = count(build(decode(space, arch)), (image,))
        assert price.price(arch) == {"params": built.params, "macs": built.macs}, arch
        if i % 5 == 0:
            assert count(supernet.extract(arch, build), (image,)) == built


def test_the_answer_does_not_depend_on_what_was_asked_before():
    space, build, image = CASES["mixed"]
    module, rng = build(opened(space)), Random(3)
    archs = [sample(space, rng) for _ in range(20)]
    a, b = Price(module, (image,), space), Price(module, (image,), space)
    assert a.price_many(archs) == b.price_many(reversed(archs))[::-1]
    before = a.traces
    assert a.price_many(archs) == a.price_many(archs) and a.traces == before


@pytest.mark.parametrize("case", ["branch", "nested", "picky"])
def test_no_order_of_questions_finds_a_gap_in_the_tables(case, monkeypatch):
    monkeypatch.setattr(Price, "fill", lambda self: None)
    space, build, image = CASES[case]
    module, archs = build(opened(space)), list(enumerate_all(space))
    right = [count(build(decode(space, arch)), (image,)) for arch in archs]
    for i in range(6):
        order = list(range(len(archs)))
        if i:
            Random(i).shuffle(order)
        price = Price(module, (image,), space)
        for j in order:
            assert price.price(archs[j]) == {"params": right[j].params, "macs": right[j].macs}, (archs[j], order)


def test_tables_stay_small_where_decisions_do_not_meet():
    chain = Price(build_chain(opened(chain_space(20))), (torch.zeros(1, 3, 32, 32),), chain_space(20))
    assert chain.traces == 4 and max(map(len, chain.tables)) == 1
    wide = Price(build_wide(opened(WIDE)), (torch.zeros(1, 3, 8, 8),), WIDE)
    assert max(map(len, wide.tables)) == 3  # the depth, an inner width and a kernel; not the widths of the blocks before


@pytest.mark.parametrize("case", ["mixed", "nested", "picky"])
@pytest.mark.parametrize("metric", ["params", "macs"])
def test_extremes_against_enumeration(case, metric):
    space, build, image = CASES[case]
    price = Price(build(opened(space)), (image,), space)
    every = [price.value(arch, metric) for i, arch in enumerate(enumerate_all(space)) if case != "mixed" or i % 7 == 0]
    low, high = cheapest(price, metric), dearest(price, metric)
    assert low.exact and high.exact
    assert price.value(low.arch, metric) == low.value and price.value(high.arch, metric) == high.value
    assert low.value <= min(every) and high.value >= max(every)
    if case != "mixed":
        assert (low.value, high.value) == (min(every), max(every))


def test_extremes_of_a_space_too_large_to_enumerate():
    price = Price(build_wide(opened(WIDE)), (torch.zeros(1, 3, 8, 8),), WIDE)
    low, high = cheapest(price, "macs"), dearest(price, "params")
    assert low.exact and decode(WIDE, low.arch).blocks == ((4, 3), (4, 3))
    assert high.exact and decode(WIDE, high.arch).blocks == ((12, 5),) * 6


def test_the_supernet_is_neither_changed_nor_run():
    space, build, image = CASES["mixed"]
    supernet = Supernet(build(opened(space)), space)
    arch = sample(space, Random(0))
    supernet.activate(arch)
    before = {path: slot.active for path, slot in supernet.slots.items()}
    state = {name: value.clone() for name, value in supernet.module.state_dict().items()}
    Price(supernet.module, (image,), space).price(sample(space, Random(1)))
    assert {path: slot.active for path, slot in supernet.slots.items()} == before
    assert all(torch.equal(value, state[name]) for name, value in supernet.module.state_dict().items())
    assert supernet.module.training


def test_an_arch_of_another_space_is_refused():
    space = chain_space(3)
    price = Price(build_chain(opened(space)), (torch.zeros(1, 3, 16, 16),), space)
    arch = dict.fromkeys(decisions(space), 0)
    for wrong, text in [({**arch, "odd": 0}, "odd"), ({**arch, "kernels.1": 4}, "option 4")]:
        with pytest.raises(UserError, match=text):
            price.price(Arch(wrong))
    del arch["kernels.2"]
    with pytest.raises(UserError, match=r"kernels\.2"):
        price.price(Arch(arch))


def test_a_module_of_another_space_is_refused():
    with pytest.raises(UserError, match=r"kernels\.3.*the space does not have"):
        Price(build_chain(opened(chain_space(4))), (torch.zeros(1, 3, 16, 16),), chain_space(3))


def test_an_elastic_layer_that_never_runs_is_refused():
    space = Wide(Repeat((OneOf(4, 8), OneOf(3, 5)), 1))
    with pytest.raises(UserError, match="never runs"):
        Price(build_wide(opened(space)), (torch.zeros(1, 3, 8, 8),), space, forward=lambda net, x: net[0](x))
