"""Penalties against their formulas; constraints that hold."""

from math import log

import pytest
import torch
from torch import Tensor, nn

from common.cost.bounds import cheapest
from common.cost.expected import ExpectedCost
from common.cost.price import Price
from common.errors import UserError
from common.relax.cost import DualAscent, Projected, linear, mul_log, project
from common.space import ManyOf, OneOf
from common.supernet import choose, choose_many, opened
from tests.common.cost.test_expected import price_of


def random_logits(cost: ExpectedCost, seed: int, dtype: torch.dtype = torch.float64) -> dict[str, Tensor]:
    rng = torch.Generator().manual_seed(seed)
    sizes = {path: len(decision.options) for path, decision in cost.price.decisions.items()}
    return {path: torch.randn(n, generator=rng, dtype=torch.float64).to(dtype) for path, n in sizes.items()}


def spent(cost: ExpectedCost, logits: dict[str, Tensor]) -> float:
    """By the other way round: weights first, then what they cost."""
    many = {path for path, decision in cost.price.decisions.items() if isinstance(decision, ManyOf)}
    shifted = {path: values.double() - values.max().double() for path, values in logits.items()}
    return float(cost({p: v.exp() if p in many else torch.softmax(v, 0) for p, v in shifted.items()})["macs"])


def test_linear_penalty():
    cost = torch.tensor(30.0, requires_grad=True)
    penalty = linear(cost, 20, weight=0.1)
    penalty.backward()
    assert float(penalty.detach()) == pytest.approx(0.1 * (30 - 20) / 20)
    assert cost.grad is not None and float(cost.grad) == pytest.approx(0.1 / 20)
    with pytest.raises(UserError, match="target=0"):
        linear(cost, 0)


def test_mul_log_penalty():
    loss, cost = torch.tensor(2.0, requires_grad=True), torch.tensor(30.0, requires_grad=True)
    total = mul_log(loss, cost, 20)
    total.backward()
    ratio = log(30) / log(20)
    assert float(total.detach()) == pytest.approx(0.2 * 2 * ratio**0.3)
    assert loss.grad is not None and float(loss.grad) == pytest.approx(0.2 * ratio**0.3)
    assert cost.grad is not None and float(cost.grad) == pytest.approx(0.2 * 2 * 0.3 * ratio**-0.7 / (30 * log(20)))
    for expected, target, name in ((1.0, 20, "expected cost"), (0.5, 20, "expected cost"), (30.0, 1, "target")):
        with pytest.raises(UserError, match=f"the {name} is .* above 1"):
            mul_log(loss, torch.tensor(expected), target)


def test_the_multiplier_rises_while_the_budget_is_exceeded_and_never_falls_below_zero():
    dual = DualAscent(budget=10, rate=0.5)
    values = []
    for expected in (20, 15, 5, 0, 0, 20):
        dual = dual.stepped(expected)
        values.append(dual.multiplier)
    assert values == pytest.approx([0.5, 0.75, 0.5, 0, 0, 0.5])
    assert float(dual.penalty(torch.tensor(15.0))) == pytest.approx(0.5 * 0.5)
    again = DualAscent(budget=10, rate=0.5).restored(dual.tensors())
    assert again == dual and again.stepped(torch.tensor(12.0)) == dual.stepped(torch.tensor(12.0))


def test_dual_ascent_finds_the_price_of_a_budget():
    """Options with gains g and costs c: the best mixture with an expected cost of 1.2 is known by its slope."""
    gain, c = torch.tensor([0.0, 1.0, 1.5]).double(), torch.tensor([0.0, 1.0, 2.0]).double()
    logits = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    dual = DualAscent(budget=1.2, rate=0.05)
    for _ in range(2000):
        p = torch.softmax(logits, 0)
        loss = -(p @ gain) + 0.1 * (p * torch.log(p)).sum() + dual.penalty(p @ c)
        (gradient,) = torch.autograd.grad(loss, logits)
        with torch.no_grad():
            logits -= 0.5 * gradient
        dual = dual.stepped(p @ c)
    p = torch.softmax(logits.detach(), 0)
    assert float(p @ c) == pytest.approx(1.2, abs=1e-3)
    assert torch.allclose(p, torch.softmax((gain - dual.multiplier / 1.2 * c) / 0.1, 0), atol=1e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("toy", ["chain", "two of the inputs", "depth and widths", "two decisions together"])
def test_a_projection_keeps_the_budget(toy, dtype):
    cost = ExpectedCost(price_of(toy))
    least = cheapest(cost.price, "macs").value
    for seed in range(2):
        logits = random_logits(cost, seed, dtype)
        now = spent(cost, logits)
        for part in (0.999, 0.5, 0.05):
            budget = least + part * (now - least)
            moved = project(logits, cost, "macs", budget)
            assert spent(cost, moved.logits) <= budget * (1 + 1e-6)
            assert spent(cost, moved.logits) >= budget * (1 - 1e-3)  # no further than needed
            assert moved.multiplier > 0 and moved.expected == pytest.approx(spent(cost, moved.logits), rel=1e-9)
            assert {path: values.dtype for path, values in moved.logits.items()} == dict.fromkeys(logits, dtype)


def test_what_is_within_the_budget_stays():
    cost = ExpectedCost(price_of("two of the inputs"))
    logits = random_logits(cost, 0)
    same = project(logits, cost, "macs", spent(cost, logits) * 1.0001)
    assert same.multiplier == 0 and all(torch.equal(same.logits[path], values) for path, values in logits.items())
    moved = project(logits, cost, "macs", spent(cost, logits) / 2)
    assert project(moved.logits, cost, "macs", spent(cost, logits) / 2).multiplier == 0


def test_in_an_additive_space_it_is_the_nearest_distribution():
    """The price rises as the budget falls, and every layer is tilted by the same price of its own costs."""
    cost = ExpectedCost(price_of("chain"))
    logits = random_logits(cost, 1)
    now, least = spent(cost, logits), cheapest(cost.price, "macs").value
    before = Projected(logits, 0.0, now)
    for part in (0.9, 0.6, 0.3, 0.1):
        moved = project(logits, cost, "macs", least + part * (now - least))
        assert moved.multiplier > before.multiplier and moved.expected < before.expected
        before = moved
    for path, values in logits.items():
        c = torch.tensor([cost.price.price({**dict.fromkeys(logits, 0), path: i})["macs"] for i in range(4)]).double()
        assert torch.allclose(before.logits[path], values - before.multiplier * (c - c.min()), rtol=1e-9)
    other = project(moved.logits, cost, "macs", least + 0.05 * (now - least))  # in two steps or in one: the same place
    assert torch.allclose(
        other.logits["kernels.0"], project(logits, cost, "macs", least + 0.05 * (now - least)).logits["kernels.0"], atol=1e-5
    )


def test_members_are_tilted_by_their_own_costs():
    """Of two of three: the sums over pairs are known, what a member costs is what explains them."""
    space = {"widths": ManyOf((8, 32, 2), 2, 2)}
    net = choose_many(opened(space)["widths"], lambda width: nn.Sequential(nn.Linear(1, width), nn.Linear(width, 1)))
    cost = ExpectedCost(Price(net, (torch.zeros(1, 1),), space))
    logits = {"widths": torch.zeros(3, dtype=torch.float64)}
    moved = project(logits, cost, "macs", 0.9 * spent(cost, logits)).logits["widths"]
    assert moved[2] > moved[0] > moved[1]
    steps = moved - moved[2]
    assert float(steps[1] / steps[0]) == pytest.approx(30 / 6, rel=0.2)


def test_out_of_reach():
    cost = ExpectedCost(price_of("chain"))
    least = cheapest(cost.price, "macs").value
    logits = random_logits(cost, 0)
    assert project(logits, cost, "macs", least).expected <= least * (1 + 1e-6)
    with pytest.raises(UserError, match=f"out of reach: the least expected macs found is {least:,}"):
        project(logits, cost, "macs", least * 0.99)
    with pytest.raises(UserError, match="must be finite"):
        project({**logits, "kernels.0": torch.full((4,), float("nan"))}, cost, "macs", least)


def little(*ops: nn.Module) -> ExpectedCost:
    """Of a network that is one choice."""
    space = {"op": OneOf(*range(len(ops)))}
    return ExpectedCost(Price(choose(opened(space)["op"], lambda i: ops[i]), (torch.zeros(1, 1),), space))


def test_options_that_differ_by_one_parameter_are_told_apart():
    cost = little(nn.Linear(1, 1, bias=False), nn.Linear(1, 1))
    moved = project({"op": torch.tensor([0.0, 3.0], dtype=torch.float64)}, cost, "params", 1.25)
    assert moved.expected == pytest.approx(1.25, rel=1e-6) and moved.expected <= 1.25 * (1 + 1e-9)
    assert torch.softmax(moved.logits["op"], 0).tolist() == pytest.approx([0.75, 0.25])


def test_where_all_options_cost_the_same_a_lower_budget_is_out_of_reach():
    cost = little(nn.Linear(1, 1), nn.Sequential(nn.Linear(1, 1), nn.ReLU()))
    logits = {"op": torch.zeros(2)}
    assert project(logits, cost, "macs", 1).multiplier == 0
    with pytest.raises(UserError, match="out of reach: the least expected macs found is 1;"):
        project(logits, cost, "macs", 0.5)


def test_bad_input():
    with pytest.raises(UserError, match="budget=0"):
        DualAscent(budget=0)
    with pytest.raises(UserError, match="rate=-1"):
        DualAscent(budget=1, rate=-1)
    with pytest.raises(UserError, match="multiplier=-1"):
        DualAscent(budget=1, multiplier=-1)
    with pytest.raises(UserError, match="expected cost is nan"):
        DualAscent(budget=1).stepped(torch.tensor(float("nan")))
