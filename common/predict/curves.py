"""Final score from the beginning of a learning curve, and when to stop a run that will not become the best.

Baker et al., Accelerating Neural Architecture Search using Performance Prediction, 1705.10823. A curve is one score per epoch,
higher is better (negate losses); curves of shape (runs, epochs) are those of runs with equally many epochs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import loguniform, norm, uniform

from common.errors import UserError
from common.predict.base import Prediction
from common.streams import derive

SHORTEST = 3
"""Epochs that a second difference needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePredictor:
    """One support vector regression per length of the beginning (section 3.1: sequential regression models).

    nu-SVR with an RBF kernel on standardised features and targets. Its C, nu and gamma are the best of `draws` random ones by
    cross-validated squared error; the paper names the random search but not its ranges, so these are a reconstruction. The
    standard deviation of a prediction is the root mean square of the cross-validated residuals, one number per length
    (section 3.2 takes leave-one-out residuals). The same folds choose the parameters, which makes it a little too small.

    Attributes:
        draws: Random settings of the regression that are compared.
        folds: Folds of the cross-validation; the least number of curves that can be fitted.
    """

    draws: int = 20
    folds: int = 5

    def __post_init__(self) -> None:
        if self.draws < 1 or self.folds < 2:
            raise UserError(f"CurvePredictor: draws {self.draws}, folds {self.folds}: at least 1 and 2 are needed")

    def fit(self, curves: ArrayLike, lengths: Sequence[int], seed: int, features: ArrayLike | None = None) -> FittedCurves:
        """Fits complete curves; a function of its arguments alone.

        Args:
            curves: Of runs that were completed; shape (runs, epochs).
            lengths: Epochs after which the final score is to be predicted, see `prefixes`.
            seed: Names the random settings and the folds.
            features: Of architectures and hyper-parameters, e.g. parameters, layers, learning rate; shape (runs, features).

        Raises:
            UserError: Fewer curves than folds, a score or feature is not finite, shapes that do not fit, or a length that is
                below 3 or not below the number of epochs.
        """
        scores = _finite("curves", curves)
        if len(scores) < self.folds:
            raise UserError(f"curves: {len(scores)} were given: at least {self.folds} are needed; complete more runs first")
        bad = [length for length in lengths if not SHORTEST <= length < scores.shape[1]]
        if bad or not lengths:
            rule = f"lengths must be at least {SHORTEST} and below the {scores.shape[1]} epochs of a run"
            raise UserError(f"curves: cannot predict from {bad[0] if bad else 'no'} epochs: {rule}")
        extra = _extra(features, len(scores))
        models = {length: self._model(_inputs(scores[:, :length], extra), scores[:, -1], seed) for length in lengths}
        return FittedCurves(models, extra.shape[1])

    def _model(self, inputs: NDArray[np.float64], targets: NDArray[np.float64], seed: int) -> tuple[Any, float]:
        from sklearn.compose import TransformedTargetRegressor
        from sklearn.dummy import DummyRegressor
        from sklearn.model_selection import KFold, RandomizedSearchCV, cross_val_predict
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import NuSVR

        if np.ptp(targets) == 0:
            return DummyRegressor(strategy="median").fit(inputs, targets), 0.0
        state = derive(seed, "curves") % 2**32
        ranges = {"C": loguniform(1e-1, 1e3), "nu": uniform(0.1, 0.8), "gamma": loguniform(1e-4, 1.0)}
        regression = TransformedTargetRegressor(make_pipeline(StandardScaler(), NuSVR()), transformer=StandardScaler())
        search = RandomizedSearchCV(
            regression,
            {f"regressor__nusvr__{name}": values for name, values in ranges.items()},
            n_iter=self.draws,
            scoring="neg_mean_squared_error",
            cv=KFold(self.folds, shuffle=True, random_state=state),
            random_state=state,
        ).fit(inputs, targets)
        expected = cross_val_predict(search.best_estimator_, inputs, targets, cv=search.cv)
        return search.best_estimator_, float(np.sqrt(np.mean((expected - targets) ** 2)))


@dataclass(frozen=True, slots=True)
class FittedCurves:
    """Regressions of final scores.

    Attributes:
        models: Length of the beginning -> a regression of scikit-learn and its standard deviation.
        width: Number of features besides the curve.
    """

    models: Mapping[int, tuple[Any, float]]
    width: int

    def __call__(self, beginnings: ArrayLike, features: ArrayLike | None = None) -> Prediction:
        """Final scores of runs whose first epochs are known; shapes (runs, length) and (runs, features).

        Raises:
            UserError: A length that was not fitted, shapes that do not fit, or a value is not finite.
        """
        scores = _finite("curves", beginnings)
        if scores.shape[1] not in self.models:
            raise UserError(f"curves: beginnings of {scores.shape[1]} epochs were not fitted: use {sorted(self.models)}")
        extra = _extra(features, len(scores))
        if extra.shape[1] != self.width:
            raise UserError(f"curves: {extra.shape[1]} features were given and {self.width} fitted: give the same")
        model, std = self.models[scores.shape[1]]
        if not len(scores):
            return Prediction(np.zeros(0), np.zeros(0))
        return Prediction(model.predict(_inputs(scores, extra)).astype(np.float64), np.full(len(scores), std))


def prefixes(epochs: int, start: float = 0.25, every: int = 1) -> list[int]:
    """Epochs after which a run may be stopped: from the share `start` of all epochs on, in steps of `every`; at least 3.

    Raises:
        UserError: `start` is not between 0 and 1, or `every` is below 1.
    """
    if not 0 <= start <= 1 or every < 1:
        raise UserError(f"curves: start is {start}, every is {every}: start is between 0 and 1, every at least 1")
    return list(range(max(SHORTEST, math.ceil(start * epochs)), epochs, every))


def stops(best: float | None, expected: float, sigma: float, confidence: float = 0.95) -> bool:
    """Whether to stop: P(final <= best) >= confidence, for a final score of N(expected, sigma) (section 4.2, Delta).

    Args:
        best: Best final score of *completed* runs; None while there is none, which never stops.
        expected: Expected final score.
        sigma: Its standard deviation; at 0 the expected score counts as certain.
        confidence: Delta, above 0 and at most 1; 1 never stops: a Gaussian is never certain.

    Raises:
        UserError: A confidence out of range, a negative sigma, or a value is nan.
    """
    if not 0 < confidence <= 1:
        raise UserError(f"stop rule: confidence is {confidence}: it must be above 0 and at most 1")
    if not sigma >= 0 or math.isnan(expected) or (best is not None and math.isnan(best)):
        raise UserError(f"stop rule: best {best}, expected {expected}, sigma {sigma}: give numbers, sigma not negative")
    if best is None or confidence == 1:
        return False
    if sigma == 0:
        return expected <= best
    return bool(norm.cdf((best - expected) / sigma) >= confidence)


@dataclass(frozen=True, slots=True)
class Savings:
    """What stopping early would have saved.

    Attributes:
        epochs: Epochs trained in each run; shape (runs,).
        speed_up: Epochs of all complete runs / epochs trained.
        kept: Whether a run with the best final score of all was completed.
    """

    epochs: NDArray[np.int64]
    speed_up: float
    kept: bool


def simulate(
    curves: ArrayLike,
    expect: Callable[[int], Prediction],
    lengths: Sequence[int],
    *,
    completed: int = 0,
    confidence: float = 0.95,
) -> Savings:
    """Runs whose complete curves are known, one after the other, each stopped as soon as the rule says so.

    Args:
        curves: Shape (runs, epochs), in the order of the runs.
        expect: Length -> what is expected of every run after so many epochs, those fitted on the `completed` ones.
        lengths: Epochs after which the rule is asked; see `prefixes`.
        completed: The first so many runs are not stopped; their epochs count.
        confidence: See `stops`.

    Raises:
        UserError: No curve, a score is not finite, or what `stops` refuses.
    """
    scores = _finite("curves", curves)
    if not len(scores):
        raise UserError("curves: none to simulate: give at least one")
    total = scores.shape[1]
    asked = [(length, expect(length)) for length in sorted(lengths)]
    epochs = np.full(len(scores), total, dtype=np.int64)
    best: float | None = None
    for run, final in enumerate(scores[:, -1].tolist()):
        for length, prediction in asked if run >= completed else []:
            if stops(best, float(prediction.mean[run]), float(prediction.std[run]), confidence):
                epochs[run] = length
                break
        else:
            best = final if best is None else max(best, final)
    return Savings(epochs, float(scores.size / epochs.sum()), best == scores[:, -1].max())


def _inputs(scores: NDArray[np.float64], extra: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores, their first and second differences, then the other features."""
    return np.concatenate([scores, np.diff(scores), np.diff(scores, n=2), extra], axis=1)


def _extra(features: ArrayLike | None, runs: int) -> NDArray[np.float64]:
    if features is None:
        return np.zeros((runs, 0))
    extra = _finite("features", features)
    if len(extra) != runs:
        raise UserError(f"curves: {len(extra)} rows of features for {runs} runs: give one for each")
    return extra


def _finite(what: str, values: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2:
        raise UserError(f"{what} of shape {array.shape}: give one row for each run")
    rows = np.nonzero(~np.isfinite(array).all(axis=1))[0]
    if rows.size:
        raise UserError(f"{what}: run {rows[0]} has a value that is not finite: leave failed runs out")
    return array
