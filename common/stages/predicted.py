"""A search whose candidates are scored by a predictor, fitted on few that were evaluated; the best ones are evaluated at last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from common.engines import MLPSettings
from common.evaluate.base import Evaluator, Scores
from common.search.given import Given
from common.search.random import RandomSearch
from common.space import Arch
from common.stages.trials import run_trials
from common.streams import derive

if TYPE_CHECKING:
    from common.engines import Problem
    from common.evaluate.settings import PredictorSettings
    from common.predict.base import Fitted
    from common.search.base import Searcher, Trial
    from common.stages.context import Context
    from common.stages.settings import SearchSettings

PREDICTED = "predicted"
"""Fidelity of the trials of `predicted.jsonl`."""


def search_by_predictor(
    context: Context,
    search: SearchSettings,
    settings: PredictorSettings,
    searcher: Searcher,
    problem: Problem,
    base: Evaluator,
    budget: int,
    name: str,
) -> list[Trial]:
    """Evaluates random architectures, searches by predictions from them, and evaluates what is best by prediction.

    `trials.jsonl` keeps the evaluated trials, the random ones first; `predicted.jsonl` those of the search by predictions.

    Args:
        context: of the run.
        search: settings of the search.
        settings: settings of the evaluation.
        searcher: of the engine.
        problem: of the search.
        base: evaluates architectures.
        budget: candidates of the search by predictions.
        name: of the stage.

    Returns:
        The evaluated trials.
    """
    seed = derive(context.seed, "predictor")
    uniform = RandomSearch(problem.space, problem.objectives, seed=seed, feasible=problem.feasible, rule=problem.rule)
    sample = run_trials(context, uniform, base, settings.fitted, "trials.jsonl", f"{name}: sample")[: settings.fitted]
    predicted = _fitted(settings, problem, sample, seed)
    ranked = run_trials(context, searcher, predicted, budget, "predicted.jsonl", f"{name}: predictions", PREDICTED)
    evaluated = {trial.arch for trial in sample}
    good = [trial for trial in ranked if trial.status == "ok" and trial.arch not in evaluated]
    objective = problem.objectives[0]
    best = sorted(good, key=lambda trial: (objective.loss(trial.value(objective)), trial.id))[: settings.verified]
    given = Given([trial.arch for trial in sample] + [trial.arch for trial in best], problem.objectives, origin="predicted")
    return run_trials(context, given, base, len(sample) + len(best), "trials.jsonl", f"{name}: evaluation")


def _fitted(settings: PredictorSettings, problem: Problem, sample: Sequence[Trial], seed: int) -> Predicted:
    """Fits one predictor for each score among the objectives that the trials have."""
    good = [trial for trial in sample if trial.status == "ok"]
    predictor = MLPSettings(hidden=settings.hidden, members=settings.members).predictor(problem.space)
    names = [o.name for o in problem.objectives if all(o.name in trial.scores for trial in good)]
    archs = [trial.arch for trial in good]
    fits = {
        name: predictor.fit(archs, [float(trial.scores[name]) for trial in good], derive(seed, "fit", name)) for name in names
    }
    return Predicted(fits)


@dataclass(frozen=True, slots=True)
class Predicted:
    """An evaluator that predicts.

    Attributes:
        fits: score name -> fitted predictor.
    """

    fits: Mapping[str, Fitted]

    def __call__(self, archs: Sequence[Arch], fidelity: str) -> list[Scores]:
        """One `Scores` per architecture, in order: the predicted means."""
        means = {name: fitted(archs).mean.tolist() for name, fitted in self.fits.items()}
        return [Scores(values={name: values[i] for name, values in means.items()}) for i in range(len(archs))]
