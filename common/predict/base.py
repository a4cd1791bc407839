"""What every predictor of scores shares: fitted on evaluated architectures, it gives a mean and an uncertainty for others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from common.errors import UserError
from common.space import Arch


@dataclass(frozen=True, slots=True)
class Prediction:
    """What is expected of n architectures.

    Attributes:
        mean: Expected scores, in the unit of the scores fitted; shape (n,).
        std: Standard deviations of the same; zeros where the predictor has no notion of its uncertainty; shape (n,).
    """

    mean: NDArray[np.float64]
    std: NDArray[np.float64]


class Fitted(Protocol):
    """A predictor that has seen scores."""

    def __call__(self, archs: Sequence[Arch]) -> Prediction:
        """Predicts the scores of `archs`, in their order."""
        ...


class Predictor(Protocol):
    """Settings of a predictor; nothing is kept in it between two fits."""

    def fit(self, archs: Sequence[Arch], scores: Sequence[float], seed: int) -> Fitted:
        """Fits the scores; a function of its arguments alone.

        Raises:
            UserError: See `check`.
        """
        ...


def check(archs: Sequence[Arch], scores: Sequence[float]) -> None:
    """Refuses what no predictor can be fitted on.

    Raises:
        UserError: Fewer than two points, as many scores as architectures are not given, or a score is not finite.
    """
    if len(archs) != len(scores):
        raise UserError(f"a predictor was given {len(archs)} architectures and {len(scores)} scores: give one score for each")
    if len(archs) < 2:
        raise UserError(f"a predictor was fitted on {len(archs)} points: it needs at least 2; evaluate more first")
    bad = [i for i, score in enumerate(scores) if not np.isfinite(score)]
    if bad:
        raise UserError(f"score {bad[0]} that a predictor was fitted on is {scores[bad[0]]}: leave failed trials out")
