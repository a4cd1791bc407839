"""Rank metrics on orders that can be counted by hand."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from scipy.stats import spearmanr

from common.errors import UserError
from common.predict.ranking import kendall_tau, n_at_k, precision_at_k, ranking, regret, spearman
from common.streams import numpy_stream


@pytest.mark.parametrize("seed", range(5))
def test_tau_counts_discordant_pairs(seed: int):
    n = 12
    order = numpy_stream(seed, "order").permutation(n).tolist()
    discordant = sum(order[i] > order[j] for i, j in combinations(range(n), 2))
    assert kendall_tau(list(range(n)), order) == pytest.approx(1 - 4 * discordant / (n * (n - 1)))


def test_spearman_shares_ranks_of_ties():
    a, b = [1, 2, 2, 3, 5, 5, 5], [2, 1, 4, 4, 3, 9, 9]
    assert spearman(a, b) == pytest.approx(float(spearmanr(a, b)[0]))
    assert spearman([1, 2, 3], [10, 20, 90]) == pytest.approx(1)
    assert spearman([1, 2, 3], [3, 2, 1]) == pytest.approx(-1)
    assert math.isnan(spearman([1, 1], [1, 2])) and math.isnan(spearman([1], [1]))


def test_precision_is_an_overlap():
    true = [9, 8, 7, 1, 2, 3]
    assert precision_at_k([6, 5, 4, 3, 2, 1], true, 3) == 1
    assert precision_at_k([6, 1, 2, 5, 4, 3], true, 2) == 0.5
    assert precision_at_k([1, 2, 3, 6, 5, 4], true, 3) == 0
    assert precision_at_k([1, 2, 3], [5, 5, 5], 1) == 1  # all equal: every choice is a best one
    assert precision_at_k([1, 2, 3], [9, 5, 5], 2) == 1  # 5 is the second best, twice


def test_n_at_k_is_the_best_true_rank():
    true = [9, 8, 7, 1, 2, 3]
    assert n_at_k([0, 0, 1, 3, 2, 0], true, 1) == 6
    assert n_at_k([0, 0, 1, 3, 2, 0], true, 2) == 5
    assert n_at_k([0, 0, 1, 3, 2, 0], true, 3) == 3
    assert n_at_k([0, 0, 0, 0, 0, 0], true, 1) == 1  # equal predictions in the order given
    assert n_at_k([1, 2, 3], [4, 4, 1], 2) == 1  # shares the best rank


def test_regret_is_in_the_unit_of_the_scores():
    true = [90.0, 80.0, 70.0]
    assert regret([1, 2, 3], true) == 20
    assert regret([1, 2, 3], true, 2) == 10
    assert regret([1, 2, 3], true, 3) == 0


def test_everything_at_once():
    rng = numpy_stream(0, "ranking")
    true = rng.standard_normal(50)
    perfect = ranking(3 * true - 1, true, 5)
    assert (perfect.kendall, perfect.precision, perfect.rank, perfect.regret) == (1, 1, 1, 0)
    assert perfect.spearman == pytest.approx(1)
    noisy = ranking(true + rng.standard_normal(50), true, 5)
    assert 0.2 < noisy.kendall < noisy.spearman < 1
    assert noisy.rank == n_at_k(true, true, 1) or noisy.regret >= 0


def test_bad_input_is_refused():
    with pytest.raises(UserError, match="one true score"):
        spearman([1, 2], [1])
    with pytest.raises(UserError, match="nan"):
        regret([1, math.nan], [1, 2])
    for k in (0, 3):
        with pytest.raises(UserError, match=f"k is {k}"):
            precision_at_k(np.ones(2), np.ones(2), k)
