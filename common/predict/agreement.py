"""Statistics of a search space and of a predictor: do networks differ beyond their seeds, and does the predictor rank them?

Every function takes plain lists of scores. Higher scores are better; negate losses. The caller leaves out diverged trainings.
Two statistics are elsewhere: Kendall's tau-b is `common.objective.kendall_tau`, and the regret of the k networks with the best
predictions is `common.predict.ranking.regret`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.errors import UserError
from common.objective import kendall_tau

Scores = Sequence[float]
"""One score for each network."""
Trainings = Sequence[Sequence[float]]
"""For each network, the scores of its trainings. Networks may have different numbers of trainings."""

FEWEST = 8
"""Least number of networks for a bootstrap interval: resamples of fewer networks consist mostly of copies."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A percentile interval of a bootstrapped statistic.

    Attributes:
        low: Lower end.
        high: Upper end.
        undefined: Share of the resamples in which the statistic was nan. The interval leaves them out.
    """

    low: float
    high: float
    undefined: float


def f_ratio(trainings: Trainings) -> float:
    """F statistic of a one-way analysis of variance: the variance between networks over the variance between seeds.

    F = (sum_i n_i (m_i - m)^2 / (k - 1)) / (sum_i sum_j (x_ij - m_i)^2 / (n - k)). Network i of k has n_i scores x_ij with mean
    m_i; all n scores have mean m. The range is 0 to inf. F is about 1 if networks differ by chance alone. F is inf if the means
    differ and no network's score depends on the seed, and nan if all scores are equal. Source: Fisher 1925;
    `scipy.stats.f_oneway`.

    Raises:
        UserError: Fewer than two networks, none with two trainings, a network without one, or a score is nan.

    >>> f_ratio([[1.0, 3.0], [5.0, 7.0]])  # means 2 and 6: 16 between the networks, 2 within them
    8.0
    """
    rows = _trainings(trainings)
    if len(rows) < 2 or all(len(row) < 2 for row in rows):
        raise UserError(f"f_ratio of {len(rows)} networks: give two networks or more, of which one has two trainings or more")
    n, k = sum(len(row) for row in rows), len(rows)
    mean = float(np.concatenate(rows).mean())
    between = sum(len(row) * (float(row.mean()) - mean) ** 2 for row in rows) / (k - 1)
    within = sum(float(((row - row.mean()) ** 2).sum()) for row in rows) / (n - k)
    if within == 0:
        return math.inf if between > 0 else math.nan
    return between / within


def tau_ceiling(trainings: Trainings) -> float:
    """Estimated upper limit of tau: the tau between the true scores of the networks and their mean scores over seeds.

    tau = 2 / pi * asin(sqrt(max(0, 1 - 1 / F))), with F of `f_ratio`. The range is 0 to 1. 1 - 1 / F is the reliability of a mean
    score (Shrout and Fleiss 1979, ICC(1, k)). Its square root is the correlation of mean scores with true scores. The tau of two
    normal variables with correlation r is 2 / pi * asin(r) (Greiner 1909). The estimate assumes normal scores, the same spread
    over seeds for each network, and the same number of trainings. With few networks F, and so the estimate, is uncertain.

    Raises:
        UserError: See `f_ratio`.

    >>> round(tau_ceiling([[1.0, 3.0], [5.0, 7.0]]), 3)  # F is 8: the root of 7/8 is 0.935
    0.77
    """
    ratio = f_ratio(trainings)
    if math.isnan(ratio):
        return math.nan
    return 2 / math.pi * math.asin(math.sqrt(max(0.0, 1 - 1 / ratio if ratio > 0 else 0.0)))


def strata(costs: Scores, count: int) -> list[int]:
    """The stratum of each network, from 0 (cheapest) to `count` - 1. Strata have about equal sizes; equal costs share a stratum.

    stratum = floor(count * (number of cheaper networks) / (number of networks)).

    Raises:
        UserError: A cost is nan, or `count` is not between 1 and the number of networks.

    >>> strata([9, 1, 5, 7], 2)
    [1, 0, 0, 1]
    """
    array = _vector(costs, "costs")
    if not 1 <= count <= len(array):
        raise UserError(f"strata: {count} strata of {len(array)} networks: give a number from 1 to that")
    below = np.searchsorted(np.sort(array), array, side="left")  # how many cost less: the same for equal costs
    return [int(number) for number in below * count // len(array)]


def tau_within(a: Scores, b: Scores, groups: Sequence[int]) -> float:
    """Kendall's tau-b over the pairs of networks that share a group: tau at equal cost, if `groups` is the result of `strata`.

    tau = (C - D) / sqrt(A B). Of the pairs within groups, C have the same order in both lists and D the opposite order; A have
    different values in `a`, and B in `b`. With a single group the result is tau-b. The range is -1 to 1, and nan if A or B is 0.
    Source: Taylor 1987, Biometrics 43 (rank correlation with a blocking variable).

    Raises:
        UserError: The lists differ in length, or a score is nan.

    >>> tau_within([1, 2, 3, 4], [2, 1, 4, 3], [0, 0, 1, 1])  # over all pairs tau is 0.33
    -1.0
    """
    x, y = _vector(a, "scores"), _vector(b, "scores")
    if not len(x) == len(y) == len(groups):
        raise UserError(f"tau_within of {len(x)} and {len(y)} scores in {len(groups)} groups: give lists of equal length")
    first, second = np.triu_indices(len(x), 1)
    same = np.asarray(groups)[first] == np.asarray(groups)[second]
    first, second = first[same], second[same]
    dx, dy = np.sign(x[first] - x[second]), np.sign(y[first] - y[second])
    scale = math.sqrt(float((dx != 0).sum()) * float((dy != 0).sum()))
    return float((dx * dy).sum()) / scale if scale else math.nan


def partial_tau(a: Scores, b: Scores, costs: Scores) -> float:
    """Kendall's partial tau of two score lists: their correlation without the part that cost explains.

    (tau_ab - tau_ac tau_bc) / sqrt((1 - tau_ac^2) (1 - tau_bc^2)), with each tau from `kendall_tau`. The range is -1 to 1. The
    result is nan if a list is constant, or ranks networks exactly as cost does. Source: Kendall 1942, Biometrika 32.

    Raises:
        UserError: See `kendall_tau`.

    >>> round(partial_tau([1, 2, 3, 4], [1, 3, 2, 4], [1, 2, 4, 3]), 3)  # taus 0.67, 0.67 and 0.33
    0.632
    """
    ab, ac, bc = kendall_tau(a, b), kendall_tau(a, costs), kendall_tau(b, costs)
    scale = (1 - ac**2) * (1 - bc**2)
    return (ab - ac * bc) / math.sqrt(scale) if scale > 1e-12 else math.nan


def random_regret(true: Scores, k: int) -> float:
    """Expected regret of random choice: the best of all scores minus the expected best of k randomly sampled ones.

    max - E with E = sum_i y_(i) C(i - 1, k - 1) / C(n, k), over the n scores in ascending order. y_(i) is the best of k networks,
    sampled without replacement, if the other k - 1 are among the i - 1 networks below it. The unit is that of the scores; the
    range is 0 to the largest minus the smallest score. Compare it with `ranking.regret(predicted, true, k)` of the same scores.

    Raises:
        UserError: A score is nan, or k is not between 1 and the number of scores.

    >>> round(random_regret([1.0, 2.0, 4.0], 2), 3)  # the three pairs have best 2, 4 and 4
    0.667
    """
    array = np.sort(_vector(true, "scores"))
    n = len(array)
    if not 1 <= k <= n:
        raise UserError(f"random_regret: k is {k}: it must be between 1 and the number of scores, {n}")
    expected = sum(float(y) * math.comb(i, k - 1) for i, y in enumerate(array)) / math.comb(n, k)
    return float(array[-1]) - expected


def bootstrap(
    statistic: Callable[[list[int], list[float]], float],
    trainings: Trainings,
    *,
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Percentile bootstrap interval of a statistic of mean scores, over networks and over seeds.

    A resample first samples the trainings of each network with replacement and takes their mean. It then samples as many networks
    as there are, with replacement. Copies of a network share one mean: they are tied in both lists, so tau-b ignores the pair.
    A network with one training contributes no variance over seeds. Source: Davison and Hinkley 1997, section 3.8.

    Args:
        statistic: (numbers of the sampled networks, their mean scores) -> value, or nan if it is undefined.
        trainings: Scores of the trainings of each network.
        resamples: Number of resamples, at least 1.
        level: Share of the resamples inside the interval, between 0 and 1.
        seed: Seed of the resamples.

    Raises:
        UserError: Fewer than `FEWEST` networks, a network without a training, a score is nan, or a number out of range.

    >>> found = bootstrap(lambda numbers, means: sum(means) / len(means), [[float(i)] for i in range(9)])  # mean 4, error 0.86
    >>> round(found.low, 1), round(found.high, 1)
    (2.2, 5.6)
    """
    rows = _trainings(trainings)
    if len(rows) < FEWEST:
        raise UserError(f"bootstrap of {len(rows)} networks: give {FEWEST} or more")
    if resamples < 1 or not 0 < level < 1:
        raise UserError(f"bootstrap: resamples is {resamples}, level {level}: give 1 or more, and a share between 0 and 1")
    rng = np.random.default_rng(seed)
    means = np.stack([row[rng.integers(0, len(row), (resamples, len(row)))].mean(axis=1) for row in rows], axis=1)
    sampled = rng.integers(0, len(rows), (resamples, len(rows)))
    scores = np.take_along_axis(means, sampled, axis=1)
    found = [statistic(numbers, values) for numbers, values in zip(sampled.tolist(), scores.tolist(), strict=True)]
    defined = [value for value in found if not math.isnan(value)]
    undefined = 1 - len(defined) / resamples
    if not defined:
        return Interval(math.nan, math.nan, undefined)
    low, high = np.quantile(defined, ((1 - level) / 2, (1 + level) / 2))
    return Interval(float(low), float(high), undefined)


def _vector(values: Scores, what: str) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or np.isnan(array).any():
        raise UserError(f"agreement: {what} of shape {array.shape}: give one number for each network, none of them nan")
    return array


def _trainings(trainings: Trainings) -> list[NDArray[np.float64]]:
    rows = [_vector(row, "scores of a network") for row in trainings]
    if empty := [i for i, row in enumerate(rows) if not len(row)]:
        raise UserError(f"agreement: network {empty[0]} has no score: leave it out")
    return rows
