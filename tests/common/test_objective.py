"""Objectives against their definitions and against pymoo."""

import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import UserError
from common.objective import (
    Constraint,
    Objective,
    crowding,
    dominates,
    fronts,
    hypervolume,
    kendall_tau,
    losses,
)

MIXED = [Objective("top1"), Objective("ms", "min"), Objective("params", "min"), Objective("fps")]


def clouds(columns: int, top: int = 6, most: int = 25):
    """Small integer grids: plenty of ties and duplicates."""
    row = st.tuples(*[st.integers(0, top)] * columns)
    return st.lists(row, min_size=1, max_size=most)


def test_better_follows_the_direction():
    assert Objective("top1").better(2, 1) and not Objective("top1").better(1, 1)
    assert Objective("ms", "min").better(1, 2) and not Objective("ms", "min").better(2, 1)


def test_nan_is_refused_everywhere():
    top1 = [Objective("top1")]
    nan = float("nan")
    for call in (
        lambda: Objective("top1").better(nan, 1.0),
        lambda: fronts([[nan]], top1),
        lambda: dominates((nan,), (1.0,), top1),
        lambda: hypervolume([[nan]], (0.0,), top1),
        lambda: kendall_tau([1.0, nan], [1.0, 2.0]),
        lambda: Constraint("ms", upper=1.0).holds({"ms": nan}),
    ):
        with pytest.raises(UserError, match="nan"):
            call()


def test_points_that_do_not_fit_are_refused():
    with pytest.raises(UserError, match="do not fit 2 objectives"):
        losses([[1.0]], MIXED[:2])
    with pytest.raises(Exception, match="direction"):
        Objective("x", "up")  # pyright: ignore[reportArgumentType]
    with pytest.raises(UserError, match="infinite"):
        hypervolume([[math.inf]], (0.0,), MIXED[:1])


def test_constraint_bounds_are_inclusive():
    assert str(Constraint("macs", upper=300, lower=2)) == "2 <= macs <= 300"
    assert str(Constraint("macs", upper=300_000_000)) == "macs <= 300,000,000"
    assert Constraint("macs", upper=300).holds({"macs": 300})
    assert not Constraint("macs", upper=300).holds({"macs": 301})
    assert Constraint("macs", lower=300).holds({"macs": 300})
    assert not Constraint("macs", lower=300).holds({"macs": 299})


def test_constraint_errors():
    with pytest.raises(UserError, match="no metric 'macs'; there are: params"):
        Constraint("macs", upper=1).holds({"params": 1})
    with pytest.raises(UserError, match="bounds nothing"):
        Constraint("macs")
    with pytest.raises(UserError, match="above"):
        Constraint("macs", upper=1, lower=2)


@given(clouds(3))
def test_fronts_by_definition(points):
    objectives = MIXED[:3]
    found = fronts(points, objectives)
    assert sorted(i for front in found for i in front) == list(range(len(points)))
    left = set(range(len(points)))
    for front in found:
        best = {i for i in left if not any(dominates(points[j], points[i], objectives) for j in left)}
        assert set(front) == best
        left -= best


@given(st.integers(1, 4).flatmap(clouds))
def test_fronts_equal_pymoo(points):
    from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting

    objectives = MIXED[: len(points[0])]
    oracle = NonDominatedSorting().do(losses(points, objectives))
    assert [sorted(front) for front in fronts(points, objectives)] == [sorted(map(int, front)) for front in oracle]


def test_no_points_no_fronts():
    assert fronts([], MIXED) == []
    assert hypervolume([], (0.0, 1.0), MIXED[:2]) == 0.0
    assert crowding([]).size == 0


@settings(deadline=None)
@given(st.integers(1, 4).flatmap(lambda m: clouds(m, top=8, most=12)))
def test_hypervolume_equals_pymoo(points):
    from pymoo.indicators.hv import HV

    objectives = MIXED[: len(points[0])]
    reference = [4] * len(objectives)  # inside the cloud: some points lie beyond it
    oracle = HV(ref_point=losses([reference], objectives)[0])(losses(points, objectives))
    assert hypervolume(points, reference, objectives) == pytest.approx(oracle)


def test_hypervolume_of_random_fronts_equals_pymoo():
    from pymoo.indicators.hv import HV

    rng = np.random.default_rng(0)
    for m, n in ((2, 200), (3, 60), (4, 15)):
        points = rng.random((n, m))
        objectives = [Objective(str(i), "min") for i in range(m)]
        assert hypervolume(points, [1.1] * m, objectives) == pytest.approx(HV(ref_point=np.full(m, 1.1))(points))


def test_crowding_equals_pymoo_and_copies_get_nothing():
    from pymoo.operators.survival.rank_and_crowding.metrics import calc_crowding_distance

    x = np.sort(np.random.default_rng(1).random(9))
    points = np.stack([x, 1 - x**2], axis=1)
    np.testing.assert_allclose(crowding(points) / 2, calc_crowding_distance(points))  # pymoo takes the mean
    twice = crowding(np.concatenate([points, points[3:4]]))
    np.testing.assert_allclose(twice, [*crowding(points), 0.0])


def test_fronts_scale():
    points = np.random.default_rng(0).random((5000, 2))
    start = time.perf_counter()
    fronts(points, MIXED[:2])
    assert time.perf_counter() - start < 5.0


def test_kendall_tau():
    assert kendall_tau([1, 2, 3], [4, 5, 6]) == pytest.approx(1.0)
    assert kendall_tau([1, 2, 3], [6, 5, 4]) == pytest.approx(-1.0)
    # tau-b by hand: concordant 4, discordant 1, one tie in a: 3 / sqrt(5 * 6)
    assert kendall_tau([1, 1, 2, 3], [1, 2, 4, 3]) == pytest.approx(3 / math.sqrt(30))
    assert math.isnan(kendall_tau([1, 1], [1, 2]))
    with pytest.raises(UserError, match="equal length"):
        kendall_tau([1], [1])
