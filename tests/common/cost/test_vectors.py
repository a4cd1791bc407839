"""Conventions that count more than parameters and multiply-adds: counted, priced, bounded and expected alike."""

from dataclasses import replace
from fractions import Fraction
from random import Random
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.overrides import handle_torch_function, has_torch_function

from common.cost.bounds import cheapest, dearest
from common.cost.conditions import ABSENT
from common.cost.conventions import contractions, nothing
from common.cost.count import count
from common.cost.expected import ExpectedCost
from common.cost.price import Price
from common.errors import UserError
from common.relax.budget import Budget
from common.space import ManyOf, OneOf, decode, enumerate_all, sample
from common.supernet import choose, choose_many, conv2d, linear, opened


def cheap(input: Any, weight: Any, bias: Any = None, stride: int = 1, padding: int = 0) -> Any:
    """An operation of the project's own, whose results have the shapes of a convolution's."""
    if has_torch_function((input, weight)):
        return handle_torch_function(cheap, (input, weight), input, weight, bias, stride, padding)
    return F.conv2d(input, weight, bias, stride, padding)


class Cheap(nn.Module):
    """A layer that runs it."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(c_out, c_in, 3, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return cheap(x, self.weight, None, 1, 1)


def products(args: Any, kwargs: Any, out: torch.Tensor) -> int:
    return out.numel() * args[1].shape[1:].numel()


VECTOR = replace(
    contractions.extended("vector", {cheap: nothing}),
    beside={
        "cheap_macs": {cheap: products},
        "outputs": {cheap: lambda a, k, out: out.numel(), F.conv2d: lambda a, k, o: o.numel()},
    },
    held={"bits": lambda module, name: 1 if isinstance(module, Cheap) else 32},
    sums={"ops": {"macs": Fraction(1), "cheap_macs": Fraction(1, 64)}, "half": {"params": Fraction(1, 2)}},
    like={cheap: F.conv2d},
)
SPACE = {"width": OneOf(4, 6), "cheap": OneOf(True, False), "many": ManyOf((1, 3, "cheap"), 1, 2), "kernel": OneOf(1, 3)}


def build(net: dict[str, Any]) -> nn.Module:
    return nn.Sequential(
        conv2d(3, net["width"], net["kernel"]),
        conv2d(net["width"], 5, 1, bias=False),
        choose(net["cheap"], lambda yes: Cheap(5, 5) if yes else nn.Conv2d(5, 5, 3, 1, 1)),
        choose_many(net["many"], lambda one: Cheap(5, 5) if one == "cheap" else nn.Conv2d(5, 5, one, 1, one // 2)),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        linear(5, 3),
    )


X = torch.zeros(1, 3, 7, 6)


def price() -> Price:
    return Price(build(opened(SPACE)), (X,), SPACE, convention=VECTOR)


def test_a_count_has_every_cost_of_its_convention_and_the_layer_says_which_kind_it_is():
    found = count(nn.Sequential(nn.Conv2d(3, 5, 1, bias=False), Cheap(5, 5)), (X,), convention=VECTOR)
    pixels = 7 * 6
    cheap_macs = 5 * 5 * 9 * pixels
    macs = 15 * pixels
    ops = macs + cheap_macs / 64  # 777.65625, rounded
    assert found.costs == {
        "params": 15 + 225,
        "macs": macs,
        "bits": 32 * 15 + 225,
        "cheap_macs": cheap_macs,
        "outputs": 10 * pixels,
        "ops": round(ops),
        "half": 120,
    }
    assert ops % 1 and (found.params, found.macs, found.convention) == (240, macs, "vector")


def test_sums_are_rounded_to_the_nearest_number_halves_upwards():
    one = replace(contractions, sums={"half": {"params": Fraction(1, 2)}})
    assert [one.vector((n, 0))["half"] for n in (0, 1, 2, 3)] == [0, 1, 1, 2]


def test_by_default_an_operation_of_ones_own_is_looked_into_and_counts_as_what_it_contains():
    assert count(Cheap(3, 5), (X,)).costs == {"params": 135, "macs": 135 * 42}


def test_a_shared_parameter_counts_once_by_the_first_module_that_has_it():
    one, other = Cheap(5, 5), nn.Conv2d(5, 5, 3, bias=False)
    other.weight = one.weight
    found = count(nn.Sequential(nn.Conv2d(3, 5, 1, bias=False), one, other), (X,), convention=VECTOR)
    assert found.costs["params"] == 15 + 225 and found.costs["bits"] == 15 * 32 + 225


def test_every_price_is_the_count_of_its_network():
    prices = price()
    for arch in enumerate_all(SPACE):
        with torch.device("meta"):
            counted = count(build(decode(SPACE, arch)), (X,), convention=VECTOR).costs
        assert prices.price(arch) == counted, arch
        assert prices.value(arch, "ops") == counted["ops"]


@pytest.mark.parametrize("metric", VECTOR.costs)
def test_the_ends_of_every_cost_are_those_of_all_architectures(metric):
    prices = price()
    values = [prices.value(arch, metric) for arch in enumerate_all(SPACE)]
    assert (cheapest(prices, metric).value, dearest(prices, metric).value) == (min(values), max(values))
    assert cheapest(prices, metric).exact


def test_the_expectation_of_every_cost_is_the_mean_over_architectures():
    prices = price()
    cost = ExpectedCost(prices)
    even = {path: torch.full((len(prices.decisions[path].options),), 0.5) for path in cost.paths}
    weights = {"many": torch.ones(3)}
    found = cost({**even, **weights})
    archs = list(enumerate_all(SPACE))
    for metric in VECTOR.amounts:
        assert float(found[metric]) == pytest.approx(sum(prices.value(arch, metric) for arch in archs) / len(archs)), metric
    assert float(found["ops"]) == pytest.approx(float(found["macs"] + found["cheap_macs"] / 64)), "sums are not rounded"


def test_a_budget_of_a_sum_has_bounds_that_are_never_above_it():
    prices = price()
    limit = Budget(prices, "ops", 3000)
    constant, bounds = limit.bounds()
    rng = Random(0)
    for _ in range(20):
        arch = sample(SPACE, rng)
        total = constant + sum(bound.values[tuple(arch.get(path, ABSENT) for path in bound.paths)] for bound in bounds)
        assert 0 < total <= prices.value(arch, "ops") + 0.5
        assert limit(arch) == (prices.value(arch, "ops") <= 3000)


def test_a_cost_that_the_convention_does_not_count_is_named():
    with pytest.raises(UserError, match=r"contractions does not count 'ops'; it counts params, macs"):
        contractions.weights("ops")
