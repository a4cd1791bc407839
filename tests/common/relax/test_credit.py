"""Values of options by the scores of sub-networks: worked examples, and what options without a score can expect."""

from math import inf, log, sqrt
from random import Random

import pytest

from common.relax.credit import Credit, indicator


def credit(options=3):
    return Credit(values=[0.0] * options, times=[0] * options)


def test_a_mean_is_that_of_all_scores():
    one = credit()
    for score in (0.25, 0.5, 0.75):
        one.add(1, score)
    assert one.values == [0.0, pytest.approx(0.5), 0.0] and one.times == [0, 3, 0]


def test_running_values_and_bounds_are_those_of_a_worked_example():
    """Scores 0.5 and 0.9 with lambda 0.7: 0.3 * 0.5 + 0.7 * 0.9 = 0.78; of 4 samples in all sqrt(2 ln 4 / 2) = 1.1774."""
    one = credit(2)
    for option, score in ((0, 0.5), (1, 0.2), (0, 0.9), (1, 0.4)):
        one.add(option, score, 0.7)
    assert one.values == [pytest.approx(0.78), pytest.approx(0.34)]
    assert one.width(0) == pytest.approx(sqrt(2 * log(4) / 2)) == pytest.approx(1.17741, abs=1e-5)
    assert (one.lower(0), one.upper(0)) == (pytest.approx(-0.39741, abs=1e-5), pytest.approx(1.95741, abs=1e-5))
    assert (one.lower(1), one.upper(1)) == (pytest.approx(-0.83741, abs=1e-5), pytest.approx(1.51741, abs=1e-5))


def test_the_first_score_is_the_running_value():
    one = credit()
    one.add(2, -3.0, 0.7)
    assert one.values[2] == -3.0 and one.width(2) == 0.0


def test_an_option_without_a_score_is_never_the_lowest_and_is_sampled_first():
    one = credit()
    one.add(0, -100.0, 0.7)
    one.add(2, 5.0, 0.7)
    assert one.upper(1) == inf and one.lower(1) == -inf
    assert {one.draw([0, 1, 2], Random(seed)) for seed in range(20)} == {1}


def test_options_are_sampled_by_softmax_of_the_lower_bounds():
    """Equal counts, values log 3 apart: three of four draws are of the better one, whatever the width is."""
    one = credit(3)
    for option, score in ((0, 0.0), (1, log(3.0)), (2, 1000.0)):
        one.add(option, score)
    taken = [one.draw([0, 1], Random(seed)) for seed in range(2000)]
    assert sum(taken) / 2000 == pytest.approx(0.75, abs=0.03)
    assert one.draw([0, 2], Random(0)) == 2, "scores of any size"


@pytest.mark.parametrize(("beta", "z"), [(0.0, 0.5), (1.0, 0.75), (2.0, 1.0), (-1.0, 0.25)])
def test_the_indicator_of_cp_nas(beta, z):
    assert indicator(0.5, 0.75, beta) == z
