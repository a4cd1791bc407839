"""How well predicted scores rank architectures. Higher is better in both `predicted` and `true`: negate losses.

Equal predictions are taken in the order given. Correlations are nan where one side is constant or there are fewer than two pairs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from common.errors import UserError
from common.objective import kendall_tau

__all__ = ["Ranking", "kendall_tau", "n_at_k", "precision_at_k", "ranking", "regret", "spearman"]


@dataclass(frozen=True, slots=True)
class Ranking:
    """Every figure of one comparison.

    Attributes:
        kendall: Kendall's tau-b.
        spearman: Spearman's rho.
        k: What the following figures look at.
        precision: See `precision_at_k`.
        rank: See `n_at_k`.
        regret: See `regret`.
    """

    kendall: float
    spearman: float
    k: int
    precision: float
    rank: int
    regret: float


def ranking(predicted: ArrayLike, true: ArrayLike, k: int = 10) -> Ranking:
    """Every figure, the last three at `k`.

    Raises:
        UserError: Different lengths, no pair, a value is nan, or k is not between 1 and the number of pairs.
    """
    return Ranking(
        kendall=kendall_tau(np.asarray(predicted).tolist(), np.asarray(true).tolist()),
        spearman=spearman(predicted, true),
        k=k,
        precision=precision_at_k(predicted, true, k),
        rank=n_at_k(predicted, true, k),
        regret=regret(predicted, true, k),
    )


def spearman(predicted: ArrayLike, true: ArrayLike) -> float:
    """Spearman's rank correlation, -1 to 1; equal values share the mean of their ranks.

    Raises:
        UserError: Different lengths, or a value is nan.
    """
    a, b = _pairs(predicted, true)
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(np.corrcoef(rankdata(a), rankdata(b))[0, 1])


def precision_at_k(predicted: ArrayLike, true: ArrayLike, k: int) -> float:
    """Share of the k predicted best that are among the k truly best, 0 to 1; whoever equals the k-th true score is among them.

    Raises:
        UserError: Different lengths, a value is nan, or k is not between 1 and the number of pairs.
    """
    scores, chosen = _chosen(predicted, true, k)
    bar = np.sort(scores)[-k]
    return float(np.mean(scores[chosen] >= bar))


def n_at_k(predicted: ArrayLike, true: ArrayLike, k: int) -> int:
    """Best true rank among the k predicted best, 1 for the very best; equal scores share the best of their ranks (N@k).

    Raises:
        UserError: Different lengths, a value is nan, or k is not between 1 and the number of pairs.
    """
    scores, chosen = _chosen(predicted, true, k)
    return int(np.sum(scores > scores[chosen].max())) + 1


def regret(predicted: ArrayLike, true: ArrayLike, k: int = 1) -> float:
    """Best true score of all minus the best among the k predicted best, in the unit of the scores; 0 where the best is found.

    Raises:
        UserError: Different lengths, a value is nan, or k is not between 1 and the number of pairs.
    """
    scores, chosen = _chosen(predicted, true, k)
    return float(scores.max() - scores[chosen].max())


def _pairs(predicted: ArrayLike, true: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    a, b = np.asarray(predicted, dtype=np.float64), np.asarray(true, dtype=np.float64)
    if a.ndim != 1 or a.shape != b.shape:
        raise UserError(f"ranking: {a.shape} predicted and {b.shape} true scores: give one true score for each predicted one")
    if np.isnan(a).any() or np.isnan(b).any():
        raise UserError("ranking: a score is nan: leave failed trials out")
    return a, b


def _chosen(predicted: ArrayLike, true: ArrayLike, k: int) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """True scores, and the places of the k predicted best."""
    a, b = _pairs(predicted, true)
    if not 1 <= k <= len(a):
        raise UserError(f"ranking: k is {k}: it must be between 1 and the number of scores, {len(a)}")
    return b, np.argsort(-a, kind="stable")[:k]
