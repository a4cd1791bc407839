"""A budget's lower bounds of the cost: a sum over branches of the space, never more than the price."""

import pytest

from common.relax.budget import Budget
from common.relax.ranked import Ranking
from common.space import enumerate_all
from tests.common.cost.test_expected import price_of


@pytest.mark.parametrize("metric", ["params", "macs"])
@pytest.mark.parametrize(("toy", "exact"), [("chain", True), ("two of the inputs", True), ("two decisions together", False)])
def test_bounds_are_at_most_the_price_and_where_branches_cost_apart_the_price(toy, exact, metric):
    price = price_of(toy)
    constant, bounds = Budget(price, metric, 0).bounds()
    scores = {path: [0.0] * len(decision) for path, decision in price.decisions.items()}
    ranked = Ranking(conditions=price.conditions, scores=scores, bounds=bounds).ranked(0.0, 1.0)
    told = {frozenset(way.choices().items()): constant + way.cost for way in ranked}
    archs = list(enumerate_all(price.space))
    assert len(told) == len(archs)
    for arch in archs:
        least, value = told[frozenset(arch.items())], price.value(arch, metric)
        assert least <= value * (1 + 1e-12) and (least == pytest.approx(value) or not exact)
    assert min(told.values()) == pytest.approx(min(price.value(arch, metric) for arch in archs)), "the cheapest is found by them"
