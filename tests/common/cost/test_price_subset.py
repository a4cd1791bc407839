"""Law 5 where members of a subset are modules, and hold decisions of their own."""

from random import Random
from typing import Any

import pytest
import torch
from torch import nn

from common.cost.bounds import cheapest, dearest
from common.cost.count import count
from common.cost.measuring import build_table
from common.cost.price import Price
from common.layers import EmptySum
from common.space import Arch, ManyOf, OneOf, decisions, decode, enumerate_all, sample
from common.supernet import Supernet, choose, choose_many, opened
from tests.common.supernet.cells import build, cell_space

IMAGE = torch.zeros(1, 3, 8, 8)
OPERATIONS = ("conv3", "skip", "none")


def priced(space: Any, make: Any = build, image: torch.Tensor = IMAGE) -> tuple[Supernet, Price]:
    net = Supernet(make(opened(space)), space)
    return net, Price(net.module, (image,), space)


@pytest.mark.parametrize(("low", "high"), [(2, 2), (1, 2)])
def test_every_architecture_of_a_cell_costs_what_the_extracted_network_does(low, high):
    space = cell_space(2, OPERATIONS, low, high)
    net, price = priced(space)
    for i, arch in enumerate(enumerate_all(space)):
        if low == 2 or i % 7 == 0:
            cost = count(net.extract(arch, build), (IMAGE,))
            assert price.price(arch) == {"params": cost.params, "macs": cost.macs}, arch


def test_every_architecture_of_a_larger_cell_costs_what_its_operations_add_up_to():
    space = cell_space(3, OPERATIONS)
    net, price = priced(space)
    first = next(iter(enumerate_all(space)))
    width, pixels = space.width, IMAGE[0, 0].numel()
    convolutions = [path for path in decisions(space) if "operation" in path]

    def expected(arch: Any) -> tuple[int, int]:
        n = sum(arch.get(path) == 0 for path in convolutions)
        return n * (width * width * 9 + 2 * width), n * width * width * 9 * pixels

    cost = count(net.extract(first, build), (IMAGE,))
    fixed = cost.params - expected(first)[0], cost.macs - expected(first)[1]
    n = 0
    for arch in enumerate_all(space):
        more = expected(arch)
        assert price.price(arch) == {"params": fixed[0] + more[0], "macs": fixed[1] + more[1]}, arch
        n += 1
    assert n == 9 * 27 * 54
    for seed in range(25):
        arch = sample(space, Random(seed))
        cost = count(net.extract(arch, build), (IMAGE,))
        assert price.price(arch) == {"params": cost.params, "macs": cost.macs}, arch


def test_an_operations_cost_does_not_hang_on_the_subset_as_well():
    _, price = priced(cell_space(3, OPERATIONS))
    assert max(map(len, price.tables)) == 1
    assert price.traces < 25
    low, high = cheapest(price, "params"), dearest(price, "macs")
    assert low.exact and high.exact
    assert high.value - cheapest(price, "macs").value == 6 * 4 * 4 * 9 * 64


class Uneven(nn.Module):
    """Members of unlike shapes, a member in every subset, a parameter that members share; what follows feels the size."""

    def __init__(self, space: Any) -> None:
        super().__init__()
        self.shared = nn.Conv2d(3, 3, 1)
        self.many = choose_many(space[0], self.member)
        self.then = choose(space[1], lambda k: nn.Conv2d(3, 3, k, padding=k // 2))

    def member(self, kind: Any) -> nn.Module:
        if kind == "pool":
            return nn.AdaptiveAvgPool2d(1)
        if kind == "shared":
            return self.shared
        if kind == "small":
            return nn.Sequential(nn.AvgPool2d(8), nn.Conv2d(3, 3, 1), self.shared)
        return nn.Sequential(choose(kind[0], lambda k: nn.Conv2d(3, 3, k, padding=k // 2)), choose(kind[1], nn.AdaptiveAvgPool2d))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.then(self.many(x))


@pytest.mark.parametrize(("low", "high"), [(1, 2), (2, 3), (4, 4)])
def test_members_of_unlike_shapes_and_shared_parameters(low, high, monkeypatch):
    monkeypatch.setattr(Price, "fill", lambda self: None)
    space = (ManyOf(("pool", (OneOf(1, 3), OneOf(1, 8)), "small", "shared"), low, high), OneOf(1, 3))
    image = torch.zeros(1, 3, 8, 8)
    module, archs = Uneven(opened(space)), list(enumerate_all(space))
    right = {arch: count(Uneven(decode(space, arch)), (image,)) for arch in archs}
    for seed in range(5):
        price = Price(module, (image,), space)
        Random(seed).shuffle(archs)
        for arch in archs:
            assert price.price(arch) == {"params": right[arch].params, "macs": right[arch].macs}, arch


class Constant(nn.Module):
    """A map that is learnt, whatever comes in."""

    def __init__(self) -> None:
        super().__init__()
        self.map = nn.Parameter(torch.zeros(1, 3, 4, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.map


class Cropped(nn.Module):
    """A member that cannot take small maps, beside one that takes any; the layer after them runs on a map of one of two sizes."""

    def __init__(self, space: Any) -> None:
        super().__init__()
        self.size = choose(space[0], nn.AdaptiveAvgPool2d)
        cropped = nn.Sequential(nn.Conv2d(3, 3, 5), nn.AdaptiveAvgPool2d(1))
        self.many = choose_many(space[1], lambda kind: Constant() if kind == "constant" else cropped)
        self.then = nn.Conv2d(3, 3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.then(self.many(self.size(x)))


def test_what_a_member_that_failed_while_idle_would_have_given_is_not_known(monkeypatch):
    monkeypatch.setattr(Price, "fill", lambda self: None)
    space = (OneOf(2, 8), ManyOf(("constant", "cropped"), 1, 2))
    image = torch.zeros(1, 3, 8, 8)
    price = Price(Cropped(opened(space)), (image,), space)
    fits = [arch for arch in enumerate_all(space) if not (arch["0"] == 0 and arch["1"] > 0)]
    assert len(fits) == 4 and fits[0] == Arch({"0": 0, "1": 0})
    for arch in fits:
        cost = count(Cropped(decode(space, arch)), (image,))
        assert price.price(arch) == {"params": cost.params, "macs": cost.macs}, arch


def test_a_subset_in_an_option_and_a_subset_in_a_member(monkeypatch):
    monkeypatch.setattr(Price, "fill", lambda self: None)
    inner = ManyOf((1, OneOf(3, 5), 7), 1, 2)
    space = (OneOf(inner, 1), ManyOf((inner, OneOf(1, 3)), 1, 2))

    def convolution(kernel: Any) -> nn.Module:
        return choose(kernel, lambda k: nn.Conv2d(3, 3, k, padding=k // 2))

    def member(value: Any) -> nn.Module:
        single = isinstance(value, int) or getattr(value, "sizes", ()) == (2,)
        return convolution(value) if single else choose_many(value, convolution)

    def make(net: Any) -> nn.Module:
        first = choose(net[0], lambda value: member(value))
        return nn.Sequential(first, choose_many(net[1], member))

    archs = list(enumerate_all(space))
    net = Supernet(make(opened(space)), space)
    for seed in range(2):
        price = Price(net.module, (IMAGE,), space)
        Random(seed).shuffle(archs)
        for arch in archs[:150]:
            cost = count(make(decode(space, arch)), (IMAGE,))
            assert price.price(arch) == {"params": cost.params, "macs": cost.macs}, arch
    for arch in archs[:20]:
        assert count(net.extract(arch, make), (IMAGE,)) == count(make(decode(space, arch)), (IMAGE,))


def test_an_empty_subset_has_no_price_and_does_not_keep_the_others_from_one():
    space = cell_space(2, ("conv3", "skip"), 0, 2)
    net, price = priced(space)
    full = Arch({**next(a for a in enumerate_all(space) if min(a["nodes.0"], a["nodes.1"]) > 0)})
    cost = count(net.extract(full, build), (IMAGE,))
    assert price.price(full) == {"params": cost.params, "macs": cost.macs}
    empty = next(iter(enumerate_all(space)))
    with pytest.raises(EmptySum, match="takes no member"):
        price.price(empty)


def test_a_relaxed_supernet_is_priced_by_its_options():
    from common.supernet import Mixed

    space = cell_space(1, OPERATIONS)
    net, price = priced(space)
    net.relax({path: Mixed(torch.ones(len(decisions(space)[path].options), requires_grad=True) * 2) for path in net.relaxable})
    again = Price(net.module, (IMAGE,), space)
    assert all(again.price(arch) == price.price(arch) for arch in enumerate_all(space))
    assert all(slot.mixed is not None for slot in net.slots.values())


def test_a_latency_table_of_a_cell_has_a_row_for_every_decision():
    space = cell_space(1, ("conv3", "skip"), 1, 2)
    net = Supernet(build(opened(space)), space)
    table = build_table(net, (IMAGE,), build, repeats=2)
    assert list(table.rows) == list(decisions(space))
