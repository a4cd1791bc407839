"""Agreement of cheap scores with trainings: hand-worked values, and scipy where it has the statistic."""

import math
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from common.errors import UserError
from common.objective import kendall_tau
from common.predict.agreement import (
    bootstrap,
    f_ratio,
    partial_tau,
    random_regret,
    strata,
    tau_ceiling,
    tau_within,
)
from common.predict.ranking import regret

RNG = np.random.default_rng(3)
MANY = [RNG.normal(i, 2, size=n).tolist() for i, n in enumerate((3, 2, 4, 3, 1, 3))]


def test_f_by_hand():
    # means 2, 4, 9 and 5 in all: between (9 + 1 + 16) * 2 / 2 = 26; within (2 + 2 + 2) / 3 = 2
    assert f_ratio([[1, 3], [3, 5], [8, 10]]) == pytest.approx(13.0)


def test_f_is_that_of_scipy_where_networks_have_different_numbers_of_trainings():
    assert f_ratio(MANY) == pytest.approx(stats.f_oneway(*MANY).statistic)


def test_f_is_about_one_where_networks_are_the_same():
    rng = np.random.default_rng(0)
    found = [f_ratio(rng.normal(size=(8, 3)).tolist()) for _ in range(2000)]
    assert np.mean(found) == pytest.approx(16 / 14, rel=0.05)  # the mean of F(7, 16)
    assert np.mean(np.array(found) > 3) == pytest.approx(stats.f.sf(3, 7, 16), abs=0.01)


def test_f_without_any_noise():
    assert f_ratio([[1.0, 1.0], [2.0, 2.0]]) == math.inf
    assert math.isnan(f_ratio([[1.0, 1.0], [1.0, 1.0]]))


@pytest.mark.parametrize("trainings", [[[1.0, 2.0]], [[1.0], [2.0]], [], [[1.0, 2.0], []], [[1.0, math.nan], [2.0, 3.0]]])
def test_f_of_too_little_is_refused(trainings):
    with pytest.raises(UserError, match=r"give|leave it out"):
        f_ratio(trainings)


def test_ceiling_by_hand():
    # F = 2: reliability 1/2, correlation sqrt(1/2), whose asin is pi / 4
    trainings = [[0.0, 2.0], [2.0, 4.0]]
    assert f_ratio(trainings) == 2.0
    assert tau_ceiling(trainings) == pytest.approx(0.5)
    assert tau_ceiling([[0.0, 2.0], [0.0, 2.0]]) == 0.0
    assert tau_ceiling([[1.0, 1.0], [2.0, 2.0]]) == 1.0


def test_ceiling_is_the_tau_of_the_truth_with_noisy_means():
    rng = np.random.default_rng(1)
    truth = rng.normal(size=4000)
    noisy = truth[:, None] + rng.normal(scale=1.5, size=(4000, 2))
    assert tau_ceiling(noisy.tolist()) == pytest.approx(kendall_tau(truth.tolist(), noisy.mean(1).tolist()), abs=0.02)


def test_strata_are_filled_alike_and_keep_equal_costs_together():
    assert strata([30, 10, 20, 60, 50, 40], 3) == [1, 0, 0, 2, 2, 1]
    assert strata([1, 1, 1, 2], 2) == [0, 0, 0, 1]
    assert strata([5, 5], 1) == [0, 0]
    with pytest.raises(UserError, match="3 strata of 2 networks"):
        strata([1, 2], 3)


def test_tau_within_one_group_is_tau_b():
    a, b = [1, 2, 2, 3, 5, 4], [2, 1, 4, 4, 3, 6]
    assert tau_within(a, b, [0] * 6) == pytest.approx(stats.kendalltau(a, b).statistic)


def test_tau_within_groups_by_hand():
    # group 0: pairs (0, 1) alike, (0, 2) alike, (1, 2) opposite; group 1: one pair, tied in the second list
    a, b, groups = [1, 2, 3, 7, 8], [1, 3, 2, 9, 9], [0, 0, 0, 1, 1]
    assert tau_within(a, b, groups) == pytest.approx((2 - 1) / math.sqrt(4 * 3))
    assert math.isnan(tau_within(a, b, [0, 1, 2, 3, 4]))


def test_cost_alone_gives_tau_and_none_at_equal_cost():
    rng = np.random.default_rng(2)
    cost = np.repeat([1.0, 2.0, 3.0], 40)
    a, b = ((cost + rng.normal(scale=0.3, size=120)).tolist() for _ in range(2))
    assert kendall_tau(a, b) > 0.5
    assert abs(tau_within(a, b, strata(cost.tolist(), 3))) < 0.15
    assert abs(partial_tau(a, b, cost.tolist())) < 0.5 * kendall_tau(a, b)


def test_partial_tau_by_hand():
    a, b, c = [1, 2, 3, 4], [1, 3, 2, 4], [1, 2, 4, 3]  # taus 2/3, 2/3 and 1/3
    assert partial_tau(a, b, c) == pytest.approx((2 / 3 - 2 / 9) / math.sqrt((1 - 4 / 9) * (1 - 1 / 9)))
    assert math.isnan(partial_tau(a, b, a))


def test_random_regret_is_the_mean_over_every_draw():
    scores = [3.0, 1.0, 7.0, 7.0, 2.0, 5.0]
    for k in range(1, 7):
        every = [max(scores) - max(drawn) for drawn in combinations(scores, k)]
        assert random_regret(scores, k) == pytest.approx(np.mean(every))
    assert random_regret(scores, 6) == 0
    with pytest.raises(UserError, match="k is 7"):
        random_regret(scores, 7)


def test_random_predictions_regret_what_is_expected():
    rng = np.random.default_rng(4)
    scores = rng.normal(size=12).tolist()
    found = [regret(rng.permutation(12), scores, 3) for _ in range(4000)]
    assert np.mean(found) == pytest.approx(random_regret(scores, 3), abs=0.03)


def mean_of(drawn: list[int], means: list[float]) -> float:
    return float(np.mean(means))


def test_bootstrap_over_networks_alone_is_that_of_scipy():
    scores = np.random.default_rng(5).normal(size=30)
    ours = bootstrap(mean_of, [[x] for x in scores.tolist()], resamples=4000)
    theirs = stats.bootstrap((scores,), np.mean, method="percentile", rng=np.random.default_rng(0)).confidence_interval
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.03)


def test_bootstrap_draws_seeds_too():
    alike = [[0.0, 1.0]] * 20  # the networks do not differ: all spread is that of the seeds
    found = bootstrap(mean_of, alike, resamples=4000)
    # each mean is 0, 1/2 or 1 with deviation sqrt(1/8); a resample draws some 20 (1 - 1/e) of them, some repeatedly
    assert 0.5 - found.low == pytest.approx(found.high - 0.5, abs=0.03)
    assert found.high - found.low == pytest.approx(2 * 1.96 * math.sqrt(1 / 8) * math.sqrt(1.95 / 20), rel=0.15)


def test_copies_of_a_network_share_their_mean():
    seen: list[tuple[list[int], list[float]]] = []

    def look(drawn: list[int], means: list[float]) -> float:
        seen.append((drawn, means))
        return math.nan

    trainings = [[float(i), i + 0.5, i + 0.75] for i in range(10)]
    found = bootstrap(look, trainings, resamples=50)
    assert found.undefined == 1 and math.isnan(found.low)
    for drawn, means in seen:
        assert len(drawn) == 10 and len(set(zip(drawn, means, strict=True))) == len(set(drawn)) < 10
        assert all(i <= mean <= i + 0.75 for i, mean in zip(drawn, means, strict=True))
    assert len({tuple(means) for _, means in seen}) == 50


def test_bootstrap_is_a_function_of_its_seed():
    assert bootstrap(mean_of, [[x] for x in range(9)], seed=1) == bootstrap(mean_of, [[x] for x in range(9)], seed=1)
    assert bootstrap(mean_of, [[x] for x in range(9)], seed=1) != bootstrap(mean_of, [[x] for x in range(9)], seed=2)
    narrow = bootstrap(mean_of, [[x] for x in range(9)], level=0.5)
    wide = bootstrap(mean_of, [[x] for x in range(9)], level=0.95)
    assert wide.low < narrow.low < narrow.high < wide.high


@pytest.mark.parametrize("changes", [{"resamples": 0}, {"level": 1.0}, {"level": 0.0}])
def test_bootstrap_refuses_numbers_out_of_range(changes):
    with pytest.raises(UserError, match="give 1 or more, and a share"):
        bootstrap(mean_of, [[float(i)] for i in range(9)], **changes)


def test_bootstrap_refuses_few_networks():
    with pytest.raises(UserError, match="bootstrap of 7 networks: give 8 or more"):
        bootstrap(mean_of, [[1.0]] * 7)
