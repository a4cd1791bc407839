"""The expected price is the sum over all architectures of their probability times their price."""

from math import prod
from typing import Any

import pytest
import torch
from torch import Tensor

from common.cost.expected import ExpectedCost, _merged, expected, subset_probabilities
from common.cost.price import Price
from common.errors import UserError
from common.space import ManyOf, OneOf, enumerate_all
from common.supernet import opened
from tests.common.cost import cells
from tests.common.cost.chains import build as build_chain
from tests.common.cost.chains import chain_space
from tests.common.cost.test_price import BRANCH, CASES, NESTED, PICKY, WIDE, Branch, Picky, Pyramid, Wide, build_wide

SMALL_WIDE = Wide(type(WIDE.blocks)((OneOf(4, 8), OneOf(3, 5)), OneOf(1, 3)))
CELLS = cells.cell_space(2)
LOOSE = cells.cell_space(2, ("skip", "conv3"), low=0, high=2)

TOYS: dict[str, tuple[Any, Any, Tensor]] = {
    "chain": (chain_space(4), build_chain, torch.zeros(1, 3, 16, 16)),
    "nested, with a shape that costs elsewhere": (NESTED, Pyramid, CASES["nested"][2]),
    "two decisions together": (BRANCH, Branch, CASES["branch"][2]),
    "depth and widths": (SMALL_WIDE, build_wide, torch.zeros(1, 3, 8, 8)),
    "two of the inputs": (CELLS, cells.build, cells.IMAGE),
    "none to two of the inputs": (LOOSE, cells.build, cells.IMAGE),
}


def price_of(toy: str) -> Price:
    space, build, image = TOYS[toy]
    return Price(build(opened(space)), (image,), space)


def random_weights(price: Price, seed: int = 0) -> dict[str, Tensor]:
    rng = torch.Generator().manual_seed(seed)
    found = {}
    for path, decision in price.decisions.items():
        values = torch.rand(len(decision.options), generator=rng, dtype=torch.float64) + 0.05
        found[path] = values if isinstance(decision, ManyOf) else values / values.sum()
    return found


def by_hand(decision: ManyOf | OneOf, weights: Tensor, option: int) -> float:
    if isinstance(decision, OneOf):
        return float(weights[option])
    products = [prod(float(weights[i]) for i in decision.subset(rank)) for rank in range(len(decision))]
    return products[option] / sum(products)


def enumerated(price: Price, weights: dict[str, Tensor], fixed: dict[str, int] | None = None) -> dict[str, float]:
    fixed = fixed or {}
    total, mass = {"params": 0.0, "macs": 0.0}, 0.0
    for arch in enumerate_all(price.space):
        if any(arch.get(path, option) != option for path, option in fixed.items()):
            continue
        p = prod(by_hand(price.decisions[path], weights[path], o) for path, o in arch.items() if path not in fixed)
        mass += p
        for metric, value in price.price(arch).items():
            total[metric] += p * value
    assert mass == pytest.approx(1, abs=1e-12)
    return total


@pytest.mark.parametrize("toy", TOYS)
def test_it_is_the_sum_over_all_architectures(toy):
    price = price_of(toy)
    cost = ExpectedCost(price)
    for seed in range(3):
        weights = random_weights(price, seed)
        got = {metric: float(value) for metric, value in cost(weights).items()}
        assert got == pytest.approx(enumerated(price, weights), rel=1e-9)
    traces = price.traces
    cost(random_weights(price))
    assert price.traces == traces


@pytest.mark.parametrize("toy", ["two of the inputs", "none to two of the inputs", "depth and widths"])
def test_its_gradient_is_that_of_finite_differences(toy):
    price = price_of(toy)
    cost = ExpectedCost(price)
    given = {path: values.requires_grad_() for path, values in random_weights(price).items()}
    names = list(cost.paths)

    def scaled(*values: Tensor) -> Tensor:
        return cost(dict(zip(names, values, strict=True)))["macs"] / 1000

    assert torch.autograd.gradcheck(scaled, tuple(given[name] for name in names), eps=1e-6, atol=1e-4)


def test_its_gradient_through_a_softmax_of_an_additive_space():
    """SNAS: p_i (c_i - E c), layer by layer."""
    price = price_of("chain")
    logits = {path: torch.linspace(-1, i, 4, dtype=torch.float64, requires_grad=True) for i, path in enumerate(price.decisions)}
    cost = ExpectedCost(price)({path: torch.softmax(values, 0) for path, values in logits.items()})["macs"]
    cost.backward()
    for path, values in logits.items():
        c = torch.tensor([price.price({**dict.fromkeys(logits, 0), path: i})["macs"] for i in range(4)]).double()
        p = torch.softmax(values.detach(), 0)
        assert values.grad is not None
        assert torch.allclose(values.grad, p * (c - (p * c).sum()), rtol=1e-9, atol=1e-6)


def test_certain_decisions_cost_what_the_architecture_costs():
    price = price_of("two of the inputs")
    cost = ExpectedCost(price)
    for arch in list(enumerate_all(price.space))[::97]:
        weights = {path: torch.zeros(len(d.options), requires_grad=True) for path, d in price.decisions.items()}
        with torch.no_grad():
            for path, d in price.decisions.items():
                weights[path][list(d.subset(arch[path])) if isinstance(d, ManyOf) else arch.get(path, 0)] = 1
        got = cost(weights)
        assert {metric: float(value.detach()) for metric, value in got.items()} == pytest.approx(price.price(arch), rel=1e-12)
        got["macs"].backward()  # at zeros, where a quotient would give nan
        assert all(w.grad is None or bool(torch.isfinite(w.grad).all()) for w in weights.values())


def test_a_fixed_part_is_not_drawn():
    price = price_of("two of the inputs")
    weights = random_weights(price)
    fixed = {"nodes.1": 2, next(iter(path for path in price.decisions if path.startswith("nodes.0["))): 3}
    cost = ExpectedCost(price, fixed)
    got = cost({path: weights[path] for path in cost.paths})
    assert {metric: float(value) for metric, value in got.items()} == pytest.approx(enumerated(price, weights, fixed), rel=1e-9)
    assert not [path for path in cost.paths if path.startswith("nodes.1[") and price.conditions[path] and "source=0" in path]


def test_a_whole_architecture_fixed_is_its_price():
    price = price_of("two of the inputs")
    arch = next(iter(enumerate_all(price.space)))
    assert {k: float(v) for k, v in expected(price, {}, arch).items()} == price.price(arch)


def test_subsets_of_one_are_the_categorical_distribution():
    weights = torch.tensor([0.2, 0.5, 0.3])
    assert torch.allclose(subset_probabilities(ManyOf("abc", 1, 1), weights), weights)
    gates = torch.tensor([0.9, 0.2], dtype=torch.float64)  # independent gates, none forbidden: the product of Bernoullis
    free = subset_probabilities(ManyOf("ab", 0, 2), gates / (1 - gates))
    assert torch.allclose(free, torch.tensor([0.1 * 0.8, 0.9 * 0.8, 0.1 * 0.2, 0.9 * 0.2]).double())


def test_logits_give_the_probabilities_of_their_odds():
    price = price_of("none to two of the inputs")
    cost = ExpectedCost(price)
    logits = {path: values.log() for path, values in random_weights(price).items()}
    odds = {p: v.exp() if isinstance(price.decisions[p], ManyOf) else v.softmax(0) for p, v in logits.items()}
    assert float(cost.of_ranks(cost.ranks(logits))["macs"]) == pytest.approx(float(cost(odds)["macs"]), rel=1e-12)


def test_bad_input():
    price = price_of("chain")
    weights = random_weights(price)
    cost = ExpectedCost(price)
    without = {path: w for path, w in weights.items() if path != "kernels.2"}
    for wrong, text in [
        (without, r"kernels\.2.*no probabilities"),
        ({**weights, "odd": weights["kernels.0"]}, "odd.*not one of the space"),
        ({**weights, "kernels.1": torch.ones(3) / 3}, r"kernels\.1.*4 options"),
        ({**weights, "kernels.1": torch.full((4,), float("nan"))}, r"kernels\.1.*at least 0"),
        ({**weights, "kernels.1": torch.tensor([0.7, 0.5, -0.2, 0])}, r"kernels\.1.*at least 0"),
        ({**weights, "kernels.1": torch.ones(4)}, r"kernels\.1.*sum to 1"),
    ]:
        with pytest.raises(UserError, match=text):
            cost(wrong)
    with pytest.raises(UserError, match=r"kernels\.2.*no probabilities"):
        cost.ranks(without)
    with pytest.raises(UserError, match=r"cannot fix.*option 9"):
        ExpectedCost(price, {"kernels.0": 9})
    with pytest.raises(UserError, match="is fixed"):
        ExpectedCost(price, {"kernels.0": 1})(weights)
    with pytest.raises(UserError, match="odds of too many"):
        subset_probabilities(ManyOf("abc", 2, 2), torch.tensor([1.0, 0, 0]))


def test_subsets_of_no_weight():
    price = price_of("two of the inputs")
    with pytest.raises(UserError, match=r"nodes\.1.*odds of too many"):
        ExpectedCost(price)({**random_weights(price), "nodes.1": torch.tensor([1.0, 0, 0])})
    with pytest.raises(UserError, match=r"nodes\.1.*odds must be"):
        ExpectedCost(price)({**random_weights(price), "nodes.1": torch.tensor([1.0, 1, -1])})


def test_a_rule_that_ties_decisions_together_is_refused_unless_they_are_fixed():
    price = Price(Picky(opened(PICKY)), (torch.zeros(1, 3, 9, 9),), PICKY)
    with pytest.raises(UserError, match="rule of the space"):
        ExpectedCost(price)
    weights = random_weights(price)
    cost = ExpectedCost(price, {"width": 1})
    got = cost({path: weights[path] for path in cost.paths})
    assert {k: float(v) for k, v in got.items()} == pytest.approx(enumerated(price, weights, {"width": 1}), rel=1e-9)


def test_entries_that_agree_are_filled_together():
    assert _merged({"a": 0}, [{"b": 1}, {"a": 1, "c": 1}, {"b": 0}, {"a": 0, "c": 2}]) == {"a": 0, "b": 1, "c": 2}
