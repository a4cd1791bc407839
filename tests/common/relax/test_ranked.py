"""Architectures in order of score and cost, against all of them enumerated."""

from itertools import pairwise, product
from math import inf

import pytest

from common.cost.conditions import ABSENT
from common.relax.ranked import Bound, Ranking

CONDITIONS = {"a": None, "b": ("a", frozenset({1, 2})), "c": ("b", frozenset({0})), "d": None}
SCORES = {"a": [0.0, -1.0, -0.5], "b": [-0.25, 0.0], "c": [0.0, -2.0, -0.75], "d": [-3.0, 0.0]}
BOUNDS = (
    Bound(("a",), ("a",), {(0,): 4.0, (1,): 1.0, (2,): 6.0}),
    Bound(("a", "b"), ("a",), {(0,): 2.0, (2,): 3.0}),  # the inner decision is in the chain, and does not matter
    Bound(("a", "b", "c"), ("a", "c"), {(1, 0): 5.0, (1, 2): 7.0, (2, ABSENT): 11.0}),
    Bound(("d",), ("d",), {(1,): 0.5}),
)


def everything() -> list[dict[str, int]]:
    """The ways to settle the decisions that are live."""
    found = []
    for options in product(*(range(len(SCORES[path])) for path in CONDITIONS)):
        taken = {}
        for (path, condition), option in zip(CONDITIONS.items(), options, strict=True):
            if condition is None or taken.get(condition[0], ABSENT) in condition[1]:
                taken[path] = option
        if taken not in found:
            found.append(taken)
    return found


@pytest.mark.parametrize(("weight", "price"), [(1.0, 0.0), (0.0, 1.0), (1.0, 0.3), (2.0, 0.125)])
def test_every_way_comes_once_in_order_with_its_score_and_cost(weight, price):
    ways = list(Ranking(conditions=CONDITIONS, scores=SCORES, bounds=BOUNDS).ranked(weight, price))
    assert sorted(sorted(way.choices().items()) for way in ways) == sorted(sorted(taken.items()) for taken in everything())
    assert all(one.value >= other.value - 1e-9 for one, other in pairwise(ways))
    for way in ways:
        taken = way.choices()
        score = sum(SCORES[path][option] for path, option in taken.items())
        cost = sum(b.values.get(tuple(taken.get(p, ABSENT) for p in b.paths), 0.0) for b in BOUNDS)
        assert (way.score, way.cost) == pytest.approx((score, cost))
        assert way.value == pytest.approx(weight * score - price * cost)


def test_equals_come_in_the_order_given_and_what_is_impossible_does_not():
    scores = {"a": [1.0, -inf, 1.0, 2.0, 1.0]}
    ranking = Ranking(conditions={"a": None}, scores=scores, orders={"a": [4, 1, 0, 2, 3]})
    assert [way.choices()["a"] for way in ranking.ranked()] == [3, 4, 0, 2]
    assert [way.choices()["a"] for way in Ranking(conditions={"a": None}, scores=scores).ranked()] == [3, 0, 2, 4]
    assert list(Ranking(conditions={"a": None, "b": None}, scores={"a": [0.0], "b": [-inf]}).ranked()) == []
