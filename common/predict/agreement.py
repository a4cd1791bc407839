"""Whether a search can pay: do networks differ beyond their seeds, and do cheap scores order them as full trainings do?

Everything here takes plain lists of scores. Higher is better: negate losses. Trainings that diverged are left out by the caller.
Kendall's tau-b is `common.objective.kendall_tau`, the regret of the k predicted best `common.predict.ranking.regret`.
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
"""For each network, the score of each of its trainings; their numbers may differ."""

FEWEST = 8
"""Networks that a bootstrap interval needs at least: with fewer it mostly shows its own ties."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A percentile interval.

    Attributes:
        low: Lower end.
        high: Upper end.
        undefined: Share of the resamples in which the statistic was nan; they are left out.
    """

    low: float
    high: float
    undefined: float


def f_ratio(trainings: Trainings) -> float:
    """F statistic of a one-way analysis of variance: how much networks differ, measured by how much their seeds do.

    F = (sum_i n_i (m_i - m)^2 / (k - 1)) / (sum_i sum_j (x_ij - m_i)^2 / (n - k)) for k networks, of which network i has n_i
    scores x_ij with mean m_i; n scores in all, with mean m. Range 0 to inf; about 1 where networks differ by no more than chance,
    inf where no network varies but networks do, nan where nothing varies (Fisher 1925; `scipy.stats.f_oneway`).

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
    """The tau that perfect predictions would reach with these mean scores, whose order is in part that of the seeds.

    tau = 2 / pi * asin(sqrt(max(0, 1 - 1 / F))), F of `f_ratio`. 1 - 1 / F is the reliability of a network's mean score
    (Shrout and Fleiss 1979, ICC(1, k)), its root the correlation of such means with the true ones, and 2 / pi * asin(r) the tau
    of two normal variables with correlation r (Greiner 1909). Range 0 to 1. An estimate: it supposes normal scores, seeds of
    equal spread, and equally many for each network; F itself is uncertain where networks are few.

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
    """The stratum of each network, 0 to `count` - 1 by rising cost: as equally filled as can be, equal costs in one stratum.

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
    """Kendall's tau-b of pairs of one group alone: at equal cost, if the groups are those of `strata`.

    tau = (C - D) / sqrt(A B): over pairs of networks of one group, C are ordered alike and D oppositely in the two lists, A have
    different values in `a`, B in `b`. With one group it is tau-b. Range -1 to 1; nan where A or B is 0 (Taylor 1987, Biometrics
    43, "in the presence of a blocking variable").

    Raises:
        UserError: The lists differ in length, or a score is nan.

    >>> tau_within([1, 2, 3, 4], [2, 1, 4, 3], [0, 0, 1, 1])  # tau of all pairs is 0.33, since the groups are ordered alike
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
    """Kendall's partial tau of two score lists, with the influence of cost taken out.

    (tau_ab - tau_ac tau_bc) / sqrt((1 - tau_ac^2) (1 - tau_bc^2)), each tau of `kendall_tau` (Kendall 1942, Biometrika 32). Range
    -1 to 1; nan where a list is constant, or orders networks exactly as cost does.

    Raises:
        UserError: See `kendall_tau`.

    >>> round(partial_tau([1, 2, 3, 4], [1, 3, 2, 4], [1, 2, 4, 3]), 3)  # taus 0.67, 0.67 and 0.33
    0.632
    """
    ab, ac, bc = kendall_tau(a, b), kendall_tau(a, costs), kendall_tau(b, costs)
    scale = (1 - ac**2) * (1 - bc**2)
    return (ab - ac * bc) / math.sqrt(scale) if scale > 1e-12 else math.nan


def random_regret(true: Scores, k: int) -> float:
    """What the best of k networks drawn at random falls short of the best of all, expected over every draw.

    max - E, E = sum_i y_(i) C(i - 1, k - 1) / C(n, k) over the n scores in ascending order: y_(i) is the best of a draw without
    replacement where the other k - 1 are among the i - 1 below it. In the unit of the scores; from 0 to the range of the scores.
    To be compared with `ranking.regret(predicted, true, k)` of the same scores.

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
    """Percentile interval of a statistic of mean scores, over networks and over seeds (Davison and Hinkley 1997, section 3.8).

    A resample draws the trainings of every network anew, with replacement, and then as many networks as there are, with
    replacement. Copies of a network have the same mean, so that they are tied in every list, and tau-b leaves their pairs out. A
    network of one training brings no variance of seeds.

    Args:
        statistic: (numbers of the networks drawn, their mean scores) -> value; nan where it is undefined.
        trainings: Scores of each network's trainings.
        resamples: How many, at least 1.
        level: Share of the resamples inside of the interval, between 0 and 1.
        seed: Of the draws.

    Raises:
        UserError: Fewer than `FEWEST` networks, a network without a training, a score is nan, or a number out of range.

    >>> found = bootstrap(lambda drawn, means: sum(means) / len(means), [[float(i)] for i in range(9)])  # 4, deviation 0.86
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
    drawn = rng.integers(0, len(rows), (resamples, len(rows)))
    scores = np.take_along_axis(means, drawn, axis=1)
    found = [statistic(numbers, values) for numbers, values in zip(drawn.tolist(), scores.tolist(), strict=True)]
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
