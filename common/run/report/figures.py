"""The arithmetic behind a report: means over seeds, intervals, fronts, rank correlation. Pure functions of numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

P = TypeVar("P")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Mean and sample standard deviation of `n` values; `sd` is None for a single one."""

    n: int
    mean: float
    sd: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A difference of means and the half width of its 95 % Welch interval, None where a side has one value only."""

    value: float
    half_width: float | None

    @property
    def beyond(self) -> bool:
        """True where the interval leaves out zero."""
        return self.half_width is not None and abs(self.value) > self.half_width


@dataclass(frozen=True, slots=True, kw_only=True)
class RankCorrelation:
    """Kendall's tau-b over `n` items with its p value, and a 95 % bootstrap interval; None where undefined."""

    n: int
    tau: float | None
    p: float | None
    low: float | None
    high: float | None

    @property
    def pairs(self) -> int:
        """Number of pairs compared."""
        return self.n * (self.n - 1) // 2


def spread(values: Sequence[float]) -> Spread:
    """Summarise at least one value."""
    n = len(values)
    mean = math.fsum(values) / n
    sd = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1)) if n > 1 else None
    return Spread(n=n, mean=mean, sd=sd)


def difference(a: Spread, b: Spread) -> Difference:
    """Mean of `a` minus mean of `b`, with Welch's 95 % interval (unequal variances, Welch-Satterthwaite degrees)."""
    from scipy import stats

    value = a.mean - b.mean
    if a.sd is None or b.sd is None:
        return Difference(value=value, half_width=None)
    va, vb = a.sd**2 / a.n, b.sd**2 / b.n
    if va + vb == 0.0:
        return Difference(value=value, half_width=0.0)
    degrees = (va + vb) ** 2 / (va**2 / (a.n - 1) + vb**2 / (b.n - 1))
    return Difference(value=value, half_width=float(stats.t.ppf(0.975, degrees)) * math.sqrt(va + vb))


def rank_correlation(a: Sequence[float], b: Sequence[float], resamples: int = 1000) -> RankCorrelation:
    """Kendall's tau-b of paired values.

    The interval resamples items with a generator of fixed seed, so the same run always gives the same report; it is
    left out for no resamples, and below 8 items, where a percentile bootstrap mostly shows its own ties.
    """
    import numpy as np

    n = len(a)
    if n < 3 or len(set(a)) < 2 or len(set(b)) < 2:
        return RankCorrelation(n=n, tau=None, p=None, low=None, high=None)
    tau, p = _tau(a, b)
    if n < 8 or not resamples:
        return RankCorrelation(n=n, tau=tau, p=p, low=None, high=None)
    generator = np.random.default_rng(0)
    x, y = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    taus = []
    for _ in range(resamples):
        pick = generator.integers(0, n, n)
        if np.ptp(x[pick]) > 0 and np.ptp(y[pick]) > 0:
            taus.append(_tau(x[pick], y[pick])[0])
    low, high = (float(value) for value in np.quantile(taus, (0.025, 0.975)))
    return RankCorrelation(n=n, tau=tau, p=p, low=low, high=high)


def _tau(a: ArrayLike, b: ArrayLike) -> tuple[float, float]:
    from scipy import stats

    result: Any = stats.kendalltau(a, b)
    return float(result.statistic), float(result.pvalue)


def best_so_far(values: Sequence[float | None], maximise: bool) -> list[float | None]:
    """The best value up to each trial; None for a trial without one (failed, infeasible) and before the first."""
    best: float | None = None
    curve: list[float | None] = []
    for value in values:
        if value is not None and (best is None or (value > best if maximise else value < best)):
            best = value
        curve.append(best)
    return curve


def front(points: Sequence[tuple[float, float]], maximise: bool) -> list[tuple[float, float]]:
    """The points (cost, score) that no other beats in both, by rising cost: less cost is better."""
    sign = -1.0 if maximise else 1.0
    kept: list[tuple[float, float]] = []
    for cost, score in sorted(set(points), key=lambda point: (point[0], sign * point[1])):
        if not kept or sign * score < sign * kept[-1][1]:
            kept.append((cost, score))
    return kept


def sampled(points: Sequence[P], most: int) -> list[P]:
    """At most `most` of the points, evenly spaced, the first and the last among them: a cloud looks the same with fewer dots."""
    if len(points) <= most:
        return list(points)
    return [points[round(i * (len(points) - 1) / (most - 1))] for i in range(most)]


def stairs(values: Sequence[float | None], most: int) -> list[tuple[float, float]]:
    """The steps of a curve that is constant between changes: (number from 1, value) where it changes, and its end.

    Args:
        values: the curve; None where it has no value yet.
        most: changes given, evenly spaced where there are more.
    """
    points = [(float(i), value) for i, value in enumerate(values, start=1) if value is not None]
    changes = [point for before, point in zip([None, *points], points, strict=False) if before is None or before[1] != point[1]]
    return [*sampled(changes, most), (float(len(values)), points[-1][1])] if points else []


def thin(points: Sequence[tuple[float, float]], most: int) -> list[tuple[float, float]]:
    """At most `most` points: means of equal runs of neighbours, so that a long log stays a small picture."""
    if len(points) <= most:
        return list(points)
    edges = [round(i * len(points) / most) for i in range(most + 1)]
    chunks = [points[start:end] for start, end in pairwise(edges)]
    return [(math.fsum(x for x, _ in c) / len(c), math.fsum(y for _, y in c) / len(c)) for c in chunks]
