"""Costs without building: those of the networks themselves, and what the position does to them."""

from itertools import pairwise

import pytest
import torch

from common.space import decode, sample
from common.streams import stream
from superres.costs import NAMES, cost_of
from superres.edsr import of_equal_cost
from superres.hnas.costs import HNASCosts
from superres.hnas.model import build
from superres.hnas.settings import COSTS
from superres.hnas.space import PUBLISHED, arch_of, open_network


def test_the_names_are_those_of_the_settings():
    assert NAMES == COSTS


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_costs_are_those_of_the_network(scale):
    space = open_network(scale, width=5, cells=4)
    costs = HNASCosts(space, 9)
    for number in range(8):
        arch = sample(space, stream(scale, "costs", number))
        with torch.device("meta"):
            network = build(decode(space, arch))
        assert costs.of(arch) == cost_of(network, 3, 9)._asdict()


@pytest.mark.parametrize(("name", "more"), [("HNAS-A", 1_019_215_872), ("HNAS-B", 339_738_624), ("HNAS-C", 679_477_248)])
def test_transposed_convolutions_are_counted_beside(name, more):
    """By their output: specification, 1.02e9, 0.34e9 and 0.68e9."""
    space = open_network()
    cost = HNASCosts(space, 48).of(arch_of(space, PUBLISHED[name]))
    assert cost["macs_deconv"] - cost["macs"] == more


def test_to_enlarge_later_is_cheaper():
    space = open_network()
    costs = HNASCosts(space, 48)
    arch = arch_of(space, PUBLISHED["HNAS-A"])
    for metric in ("macs", "macs_deconv"):
        values = [costs.of(arch.switched("position", position))[metric] for position in range(12)]
        assert all(later < earlier for earlier, later in pairwise(values))
    assert len({costs.of(arch.switched("position", position))["params"] for position in range(12)}) == 1


def test_the_least_costs_are_those_of_an_architecture_and_below_all_others():
    space = open_network(width=5, cells=4)
    costs = HNASCosts(space, 9)
    drawn = [costs.of(sample(space, stream(1, "least", number))) for number in range(300)]
    for metric in NAMES:
        least = costs.least(metric)
        assert least.value < min(cost[metric] for cost in drawn)


@pytest.mark.parametrize("name", ["HNAS-A", "HNAS-B"])
def test_the_hand_made_network_outside_of_the_space_costs_as_much(name):
    space = open_network(width=16, cells=12)
    wanted = HNASCosts(space, 32).of(arch_of(space, PUBLISHED[name]))["macs_deconv"]
    ((name, network),) = of_equal_cost(wanted, 2, 32, residual=True).items()
    assert abs(network.cost["macs_deconv"] / wanted - 1) < 0.03
    blocks, width = map(int, name.removeprefix("EDSR ").split("x"))
    assert 2 < width / blocks < 13
    with torch.device("meta"):
        assert cost_of(network.build(0), 3, 32)._asdict() == network.cost
