"""A latency table is a sum of entries like any table of prices: its expectation, its ends and a budget on it are exact."""

from math import prod
from typing import Any

import pytest
import torch

from common.cost.bounds import cheapest, dearest
from common.cost.conditions import ABSENT
from common.cost.expected import ExpectedCost
from common.cost.prices import TimedPrices
from common.cost.table import LatencyTable
from common.objective import LATENCY
from common.relax.budget import Budget
from common.space import OneOf, decisions, enumerate_all, space_fingerprint

NESTED = {"block": OneOf(None, {"kernel": OneOf(3, 5)}), "a": OneOf(1, 2), "b": OneOf(1, 2, 3)}
INNER = next(path for path in decisions(NESTED) if path.endswith(".kernel"))
ROWS = {"block": [0.0, 2.0], INNER: [0.0, 0.7], "a": [0.0, -0.25], "b": [0.0, 1.0, 1.5]}
TABLE = LatencyTable(
    space=space_fingerprint(NESTED),
    base_ms=5.0,
    rows=ROWS,
    labels={},
    conditions={},
    pairs={"a": {"b": [[0.0, 0.0, 0.0], [0.0, 0.5, -2.0]]}},
)


@pytest.fixture
def prices() -> TimedPrices:
    found = TimedPrices(TABLE, NESTED)
    assert set(found.decisions) == set(ROWS)
    return found


def value(arch: Any) -> float:
    """By hand: rows of what is there, and the pair."""
    return 5 + sum(ROWS[path][option] for path, option in arch.items()) + [[0, 0, 0], [0, 0.5, -2]][arch["a"]][arch["b"]]


def test_a_value_is_the_sum_of_the_table(prices):
    for arch in enumerate_all(NESTED):
        assert prices.value(arch, LATENCY) == prices.price(arch)[LATENCY] == pytest.approx(value(arch))


def test_the_expected_latency_is_that_of_all_architectures(prices):
    rng = torch.Generator().manual_seed(0)
    drawn = {path: torch.rand(len(d), generator=rng, dtype=torch.float64) for path, d in prices.decisions.items()}
    weights = {path: (values / values.sum()).requires_grad_() for path, values in drawn.items()}
    by_hand = sum(prod(float(weights[p][o].detach()) for p, o in arch.items()) * value(arch) for arch in enumerate_all(NESTED))
    expected = ExpectedCost(prices)(weights)
    assert expected.keys() == {LATENCY} and float(expected[LATENCY].detach()) == pytest.approx(by_hand)
    expected[LATENCY].backward()
    assert all(w.grad is not None for w in weights.values())


def test_both_ends_are_found_with_proof(prices):
    values = [value(arch) for arch in enumerate_all(NESTED)]
    assert (cheapest(prices, LATENCY).value, dearest(prices, LATENCY).value) == pytest.approx((min(values), max(values)))
    assert cheapest(prices, LATENCY).exact


def test_bounds_of_a_budget_never_exceed_the_latency(prices):
    constant, bounds = Budget(prices, LATENCY, 6.0).bounds()
    for arch in enumerate_all(NESTED):
        live = {path: arch.get(path, ABSENT) for path in prices.decisions}
        total = constant + sum(bound.values.get(tuple(live[p] for p in bound.paths), 0.0) for bound in bounds)
        assert total <= value(arch) + 1e-9
        assert Budget(prices, LATENCY, 6.0)(arch) == (value(arch) <= 6)
