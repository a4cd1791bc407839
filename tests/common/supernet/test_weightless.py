"""Parts without weights that several decisions set: made for the active options, extracted, priced, and what is refused."""

import copy
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from common.cost.count import count
from common.cost.price import Price
from common.errors import UserError
from common.space import ManyOf, OneOf, Repeat, decode, sample
from common.supernet import Supernet, check, conv2d, fmap, opened, weightless
from common.supernet.weightless import Weightless, settled_value

IMAGE = (torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0)),)


@dataclass(frozen=True)
class Node:
    inputs: Any
    half: Any
    op: Any = OneOf("sum", "max")


@dataclass(frozen=True)
class Net:
    width: Any = OneOf(4, 6)
    nodes: Any = (Node(ManyOf((0, 1), 2, 2), OneOf(False, True)), Node(ManyOf((0, 1, 2), 1, 2), OneOf(False, True)))


class Merge(nn.Module):
    def __init__(self, node: Node) -> None:
        super().__init__()
        self.node = node

    def forward(self, pool):
        size = (4, 4) if self.node.half else (8, 8)
        maps = torch.stack([F.interpolate(pool[i], size=size) for i in self.node.inputs])
        return maps.sum(0) if self.node.op == "sum" else maps.amax(0)


class Nodes(nn.Module):
    def __init__(self, net: Net, declared: bool = True) -> None:
        super().__init__()
        self.stems = nn.ModuleList(conv2d(3, net.width, 1) for _ in range(2))
        self.merges = nn.ModuleList(
            weightless(node, Merge, fmap(lambda half: 4 if half else 8, node.half) if declared else ()) for node in net.nodes
        )
        self.convs = nn.ModuleList(conv2d(net.width, net.width, 3) for _ in net.nodes)

    def forward(self, x):
        pool = [stem(x) for stem in self.stems]
        for merge, conv in zip(self.merges, self.convs, strict=True):
            pool.append(conv(merge(pool)))
        return pool[-1]


def test_a_settled_description_gives_what_is_made_itself():
    node = Node((0, 1), False, "sum")
    assert isinstance(weightless(node, Merge), Merge)
    assert isinstance(weightless(opened(Net()).nodes[0], Merge), Weightless)


def test_data_settle_with_everything_inside_them():
    net = {"a": OneOf((1, OneOf(2, 3)), 4), "b": Repeat(Node(ManyOf((0, 1), 0, 2), 5), OneOf(1, 2))}
    slots: dict[str, Any] = {}
    value = opened(net, "", slots)
    inner = next(path for path in slots if path.startswith("a["))
    for path, option in {inner: 1, "b.count": 1, "b.0.inputs": 3, "b.1.op": 1}.items():
        slots[path].active = option
    assert settled_value(value) == {"a": (1, 3), "b": (Node((0, 1), 5, "sum"), Node((), 5, "max"))}


def test_the_supernet_runs_extracts_and_prices_every_architecture():
    space = Net()
    net = Supernet(Nodes(opened(space)).eval(), space)
    assert net.unread == () and net.relaxable == ()
    price = Price(net.module, IMAGE, space)
    rng, seen = Random(0), set()
    for _ in range(30):
        arch = sample(space, rng)
        network = net.extract(arch, Nodes)
        net.activate(arch)
        assert torch.equal(network(*IMAGE), net.module(*IMAGE))
        found = count(network, IMAGE)
        assert price.price(arch) == {"params": found.params, "macs": found.macs}
        seen.add(found.macs)
    assert len(seen) == 6  # two widths; none, one or both nodes at half size
    assert max(len(paths) for paths in price.tables) == 3, "a term depends on the width and both sizes at most, never on a wiring"
    assert check(Nodes, space, IMAGE).archs


def test_copies_decide_for_themselves():
    space = Net()
    module = Nodes(opened(space)).eval()
    twin = copy.deepcopy(module)
    Supernet(module, space).activate(sample(space, Random(1)))
    Supernet(twin, space).activate(sample(space, Random(4)))
    assert module(*IMAGE).shape != twin(*IMAGE).shape


def test_sizes_that_are_not_declared_are_refused():
    space = Net()
    with pytest.raises(
        UserError, match=r"gives sizes \(torch.Size\(\[\d, \d\]\),\) and .* name what else sets its sizes in sized_by"
    ):
        Price(Nodes(opened(space), declared=False), IMAGE, space)


def test_weights_are_refused():
    value = opened(OneOf(1, 2), "kernel")
    part = weightless(value, lambda kernel: nn.Conv2d(3, 3, kernel))
    with pytest.raises(UserError, match="weightless makes a Conv2d with 'weight': what it makes is thrown away"):
        part(*IMAGE)


def test_settled_mistakes_are_those_of_the_module():
    class Odd(nn.Module):
        def __init__(self, op: str) -> None:
            super().__init__()
            raise UserError(f"{op} is odd")

    with pytest.raises(UserError, match="sum is odd"):
        weightless("sum", Odd)
    assert decode(OneOf("sum"), {"": 0}) == "sum"
