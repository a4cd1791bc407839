"""Several predictors of a kind, each fitted on a share of the points: their mean ranks better, their spread is an uncertainty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from common.errors import UserError
from common.predict.base import Fitted, Prediction, Predictor, check
from common.space import Arch
from common.streams import derive, numpy_stream


@dataclass(frozen=True, slots=True)
class Ensemble:
    """Mean and spread over members fitted on shares of the points, as PNAS fits five on 4/5 each (1712.00559, section 4.2).

    The points are shuffled and member i leaves out the i-th of `members` equal stretches of the circle of points, each
    `1 - share` of them long. With 5 members and a share of 0.8 these are the five folds, as in the paper; other shares are a
    reconstruction: every point is left out equally often, give or take one.

    The variance predicted is that between the members' means plus the mean of their own variances (the law of total variance,
    as in deep ensembles: Lakshminarayanan et al., 1612.01474, section 2.4).

    Attributes:
        predictor: Settings of every member; each has a seed of its own.
        members: Number of members.
        share: Share of the points that each is fitted on, above 0 and at most 1; never fewer than two points.
    """

    predictor: Predictor
    members: int = 5
    share: float = 0.8

    def __post_init__(self) -> None:
        if self.members < 1:
            raise UserError(f"Ensemble: members is {self.members}: it must be at least 1")
        if not 0 < self.share <= 1:
            raise UserError(f"Ensemble: share is {self.share}: it must be above 0 and at most 1")

    def fit(self, archs: Sequence[Arch], scores: Sequence[float], seed: int) -> Fitted:
        """Fits every member.

        Raises:
            UserError: See `check`, and what the predictor refuses.
        """
        check(archs, scores)
        count = len(archs)
        order = numpy_stream(seed, "ensemble").permutation(count)
        kept = max(2, round(self.share * count))
        fitted = []
        for member in range(self.members):
            after = (member + 1) * count // self.members  # the first point behind the stretch that it leaves out
            taken = sorted(order[(after + np.arange(kept)) % count].tolist())
            part = [archs[i] for i in taken], [scores[i] for i in taken]
            fitted.append(self.predictor.fit(*part, derive(seed, "member", member)))

        def predict(archs: Sequence[Arch]) -> Prediction:
            each = [member(archs) for member in fitted]
            means = np.stack([prediction.mean for prediction in each])
            own = np.stack([prediction.std for prediction in each])
            return Prediction(means.mean(axis=0), np.sqrt(means.var(axis=0) + (own**2).mean(axis=0)))

        return predict
