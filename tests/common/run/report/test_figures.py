"""The report's arithmetic against scipy's and against the definitions."""

from __future__ import annotations

import itertools
import random

import pytest
from scipy import stats

from common.run.report.figures import best_so_far, difference, front, rank_correlation, sampled, spread, stairs, thin
from common.run.report.text import column, duration, mean_sd, number, quantity, signed


@pytest.mark.parametrize("sizes", [(2, 2), (3, 5), (12, 3)])
def test_difference_is_welchs_interval(sizes):
    rng = random.Random(sum(sizes))
    a, b = ([rng.gauss(0, 1 + i) for _ in range(n)] for i, n in enumerate(sizes))
    mine = difference(spread(a), spread(b))
    interval = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    assert mine.value - mine.half_width == pytest.approx(interval.low)
    assert mine.value + mine.half_width == pytest.approx(interval.high)
    assert mine.beyond == (interval.low > 0 or interval.high < 0)


def test_sides_of_equal_spread_have_an_interval():
    a, b = [0.1, 0.3, 0.5], [1.1, 1.3, 1.5]
    interval = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    assert difference(spread(a), spread(b)).half_width == pytest.approx((interval.high - interval.low) / 2)


def test_single_values_support_no_interval():
    gap = difference(spread([0.9]), spread([0.1, 0.2]))
    assert gap.half_width is None
    assert not gap.beyond


def test_equal_seeds_give_a_zero_interval():
    assert difference(spread([0.5, 0.5]), spread([0.4, 0.4])).beyond
    assert not difference(spread([0.5, 0.5]), spread([0.5, 0.5])).beyond


def test_tau_counts_pairs():
    rng = random.Random(4)
    a, b = [rng.random() for _ in range(9)], [rng.random() for _ in range(9)]
    signs = [(a[i] - a[j]) * (b[i] - b[j]) for i, j in itertools.combinations(range(9), 2)]
    tau = rank_correlation(a, b)
    assert tau.pairs == len(signs) == 36
    assert tau.tau == pytest.approx((sum(s > 0 for s in signs) - sum(s < 0 for s in signs)) / 36)
    assert -1 <= tau.low <= tau.tau <= tau.high <= 1
    assert tau == rank_correlation(a, b)


def test_tau_needs_three_items_and_its_interval_eight_and_resamples():
    items = list(range(9))
    three, seven, eight = (rank_correlation(items[:n], items[:n], resamples=100) for n in (3, 7, 8))
    assert three.tau == 1 and three.low is None is three.high and seven.low is None
    assert eight.low == pytest.approx(1) == eight.high
    assert rank_correlation(items, items, resamples=0).low is None


@pytest.mark.parametrize(("a", "b"), [([1, 2], [1, 2]), ([1, 1, 1], [1, 2, 3]), ([], [])])
def test_tau_of_too_little_is_none(a, b):
    assert rank_correlation(a, b).tau is None


@pytest.mark.parametrize("maximise", [True, False])
def test_front_is_what_nothing_beats(maximise):
    rng = random.Random(7)
    points = [(float(rng.randrange(12)), float(rng.randrange(12))) for _ in range(60)]

    def beats(p, q):
        better = p[1] >= q[1] if maximise else p[1] <= q[1]
        return p != q and p[0] <= q[0] and better

    assert front(points, maximise) == sorted({q for q in points if not any(beats(p, q) for p in points)})


def test_best_so_far_skips_failures():
    assert best_so_far([None, 2.0, None, 1.0, 3.0], maximise=True) == [None, 2.0, 2.0, 2.0, 3.0]
    assert best_so_far([2.0, 1.0, 3.0], maximise=False) == [2.0, 1.0, 1.0]


def test_sampled_points_are_evenly_spaced_from_the_first_to_the_last():
    assert sampled(range(9), 9) == list(range(9)) and sampled(range(9), 5) == [0, 2, 4, 6, 8]
    assert sampled(range(1000), 2) == [0, 999] and sampled([7], 1) == [7]


def test_stairs_are_where_a_curve_changes_and_its_end():
    assert stairs([None, 0.5, 0.5, 0.75, 0.75, 0.75], 9) == [(2, 0.5), (4, 0.75), (6, 0.75)]
    assert stairs([1.0, 2.0, 3.0, 4.0, 5.0], 3) == [(1, 1.0), (3, 3.0), (5, 5.0), (5, 5.0)]
    assert stairs([None, None], 9) == [] == stairs([], 9)


def test_thin_keeps_the_mean():
    points = [(float(i), float(i * i % 17)) for i in range(1000)]
    few = thin(points, 50)
    assert len(few) == 50
    assert sum(y for _, y in few) / 50 == pytest.approx(sum(y for _, y in points) / 1000)


def test_numbers_in_words():
    assert [number(v) for v in (None, 0.0, 3.0, 0.86123, 5_421_000.0, 41_000.0, 3.8e9)] == [
        "–", "0", "3", "0.8612", "5.421 M", "41 k", "3.8 G",
    ]  # fmt: skip
    assert column([0.52, None, 0.4879]) == ["0.5200", "–", "0.4879"]
    assert column([5e6, 3.0]) == ["5 M", "3"]
    assert quantity(5.4e6, "MACs") == "5.4 M MACs"
    assert mean_sd(spread([0.85, 0.87])) == "0.860 ± 0.014"
    assert mean_sd(spread([0.85])) == "0.85"
    assert signed(difference(spread([1.0, 1.0]), spread([2.0, 2.0]))) == "1 ± 0"
    assert [duration(s) for s in (0.84, 59.0, 134.2, 11_100)] == ["0.8 s", "59 s", "2 min 14 s", "3 h 05 min"]
