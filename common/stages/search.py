"""The search stage: any engine with any evaluation that serves it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from common.engines import Controller, Engine, Exhaustive, Gradient, Problem, SampledEngine
from common.engines import fidelity_of as fidelity_of_share
from common.errors import UserError
from common.evaluate.rewarded import REWARD, Rewarded
from common.evaluate.settings import PredictorSettings, ProxySettings, ScratchSettings, TableSettings, needs_supernet
from common.expression import check, parse
from common.objective import Objective, fronts
from common.search.random import RandomSearch
from common.space import Arch, size
from common.stages.context import Context, constraint_text, excess_of, keeps
from common.stages.controlled import check_controller
from common.stages.evaluators import check_proxy, evaluator_of
from common.stages.gradient_checks import check_gradient
from common.stages.predicted import search_by_predictor
from common.stages.settings import SearchSettings
from common.stages.trials import best_trial, found, run_trials
from common.streams import derive
from common.tables.own import read_scores

if TYPE_CHECKING:
    from common.evaluate.base import Evaluator
    from common.objective import Constraint
    from common.search.base import Searcher, Trial
    from common.system_task import SystemTask
    from common.task import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Searches; `trials.jsonl` is its whole state."""

    settings: SearchSettings
    first: Callable[[Context], Sequence[Arch]] | None = None
    """Candidates that the engine begins with, where it can."""
    name: str = "search"
    parallel: ClassVar[bool] = True

    def run(self, context: Context) -> Mapping[str, object]:
        """Gives the best architecture, the objectives that the engine followed and, of several, the front."""
        s, task = self.settings, context.task
        engine = sampled(s.engine)
        problem = problem_of(s, task, context.constraints, context.seed)
        problem = problem if self.first is None else replace(problem, first=self.first(context))
        followed = problem.objectives if engine.several else problem.objectives[:1]
        context.progress.say(
            f"{self.name}: {engine.title} follows {', '.join(map(objective_text, followed))}; evaluation: {s.evaluation.name}"
        )
        searcher = engine.searcher(problem)
        budget = number_of_trials(s, searcher)
        if isinstance(s.evaluation, PredictorSettings):
            base = rewarded(s, task, evaluator_of(context, s.evaluation.base))
            trials = search_by_predictor(context, s, s.evaluation, searcher, problem, base, budget, self.name)
        else:
            evaluator = rewarded(s, task, evaluator_of(context, s.evaluation))
            trials = run_trials(context, searcher, evaluator, budget, "trials.jsonl", self.name, fidelity_of(s))
        best = best_trial(trials, problem.objectives)
        told = {"follows": [objective.name for objective in followed]} | (front_of(trials, followed) if engine.several else {})
        return {**found(task, trials, best), **told}


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomBaseline:
    """Random search with as many candidates and the same evaluation, for comparison."""

    settings: SearchSettings
    name: str = "random search"
    parallel: ClassVar[bool] = True

    def run(self, context: Context) -> Mapping[str, object]:
        """Searches at random; gives the best score."""
        s, task = self.settings, context.task
        evaluation = s.evaluation.base if isinstance(s.evaluation, PredictorSettings) else s.evaluation
        problem = problem_of(s, task, context.constraints, derive(context.seed, "random-baseline"))
        searcher = RandomSearch(
            problem.space, problem.objectives, seed=problem.seed, feasible=problem.feasible, rule=problem.rule
        )
        as_many = len(context.folder.trials("trials.jsonl"))
        evaluator = rewarded(s, task, evaluator_of(context, evaluation))
        trials = run_trials(context, searcher, evaluator, as_many, "random.jsonl", self.name, fidelity_of(s))
        return {"trials": len(trials), "scores": dict(best_trial(trials, problem.objectives).scores)}


def sampled(engine: object) -> SampledEngine:
    """The engine, which is one that proposes architectures."""
    assert not isinstance(engine, Gradient), "a gradient-based search is a stage of its own"
    return engine  # pyright: ignore[reportReturnType]


def objective_text(objective: Objective) -> str:
    """An objective as a person reads it, `accuracy (max)`."""
    return f"{objective.name} ({objective.direction})"


def fidelity_of(settings: SearchSettings) -> str:
    """The fidelity of candidates whose engine names none."""
    return fidelity_of_share(getattr(settings.evaluation, "fidelity", 1.0))


def number_of_trials(settings: SearchSettings, searcher: Searcher) -> int:
    """Candidates to evaluate: of an exhaustive search all of them."""
    from common.search.exhaustive import Exhaustive as Everything

    return len(searcher) if isinstance(searcher, Everything) else settings.trials


def problem_of(settings: SearchSettings, task: Task, constraints: Sequence[Constraint], seed: int) -> Problem:
    """What the engine of a run is made for: the reward, if there is one, takes the place of the first objective.

    Raises:
        UserError: a table of scores that cannot be used.
    """
    objectives = tuple(task.objectives)
    if settings.reward is not None:
        objectives = (Objective(REWARD), *objectives[1:])
    rules = [constraint_text(constraints)] if constraints else []
    rows: Mapping[Arch, object] | None = None
    if isinstance(settings.evaluation, TableSettings):
        rows = read_scores(Path(settings.evaluation.file), task.space)
        rules.append(f"a row in {settings.evaluation.file}")

    def feasible(arch: Arch) -> bool:
        return (rows is None or arch in rows) and keeps(task, constraints, arch)

    return Problem(
        space=task.space,
        objectives=objectives,
        baseline=task.baseline,
        seed=seed,
        feasible=feasible if rules else None,
        rule=" and ".join(rules),
        excess=partial(excess_of, task, constraints) if constraints else None,
        order=task.networks.order,
    )


def rewarded(settings: SearchSettings, task: Task, evaluator: Evaluator) -> Evaluator:
    """The evaluator, with the reward of the settings beside its scores."""
    return evaluator if settings.reward is None else Rewarded(evaluator, parse(settings.reward), task.costs)


def front_of(trials: Sequence[Trial], objectives: Sequence[Objective]) -> dict[str, object]:
    """Ids of the trials that no other one beats in all objectives."""
    good = [trial for trial in trials if trial.status == "ok"]
    points = [[trial.value(objective) for objective in objectives] for trial in good]
    return {"front": [good[i].id for i in fronts(points, objectives)[0]] if good else []}


def check_search(settings: SearchSettings, task: SystemTask, constraints: Sequence[Constraint]) -> None:
    """Refuses a search that would fail after work was spent on it.

    Raises:
        UserError: names the setting, the rule and the remedy.
    """
    engine, evaluation = settings.engine, settings.evaluation
    if isinstance(engine, Gradient):
        if settings.reward is not None:
            raise UserError(
                "search.reward: a gradient-based search follows a loss; give search.engine.reward=METRIC, or another engine"
            )
        if len(task.phases("relaxed")) != 2:
            raise UserError(
                f"search.engine=gradient: {task.system.name} has no training of a relaxed supernet; give another engine, topk say"
            )
        if settings.random_baseline and not isinstance(evaluation, ScratchSettings | ProxySettings):
            raise UserError(
                f"search.evaluation={evaluation.name}: random search at the cost of a differentiable search trains its "
                "candidates; give scratch or proxy, or search.random_baseline=false"
            )
        settling = next((name for name in ("project", "abandon") if getattr(engine, name) is not None), None)
        if settling is not None and constraints:
            raise UserError(
                f"search.engine.{settling}: it settles decisions without regard to the budget {constraint_text(constraints)}; "
                "leave one of them out"
            )
        check_gradient(engine, task, constraints)
        if settings.random_baseline:
            _check_evaluation(evaluation, task)
        elif engine.rivals != Gradient().rivals:
            raise UserError(
                f"search.engine.rivals={engine.rivals} with search.random_baseline=false: there are no rivals; leave it "
                f"{Gradient().rivals}"
            )
        if (derive := engine.derive) is not None:
            _check_evaluation(derive.evaluation, task)
            halving = SearchSettings(engine=derive.engine, evaluation=derive.evaluation, trials=derive.trials)
            _check_engine(
                "search.engine.derive.engine", derive.engine, problem_of(halving, task, constraints, task.settings.seed)
            )
        return
    if settings.reward is not None:
        check(parse(settings.reward), task.scores, task.costs(task.baseline))
    base = evaluation.base if isinstance(evaluation, PredictorSettings) else evaluation
    _check_evaluation(base, task)
    if needs_supernet(evaluation) and not (task.networks.has_supernet and task.phases("supernet")):
        raise UserError(f"search.evaluation=inherited: {task.system.name} has no supernet to inherit weights from; give scratch")
    if isinstance(evaluation, TableSettings) and not evaluation.file:
        raise UserError("search.evaluation.file: no table is given; name one, --set search.evaluation.file=scores.csv")
    problem = problem_of(settings, task, constraints, task.settings.seed)
    if isinstance(evaluation, TableSettings):
        _check_table(evaluation, problem)
    _check_engine("search.engine", engine, problem)
    if isinstance(engine, Exhaustive):
        _check_size(task)
    if isinstance(engine, Controller):
        check_controller(engine, task)


def _check_engine(setting: str, engine: Engine, problem: Problem) -> None:
    """Refuses an engine that cannot be made for the problem; one that goes through the whole space is made later."""
    if why := engine.refusal(problem):
        raise UserError(f"{setting}={engine.name}: {why}")
    if isinstance(engine, Exhaustive):
        return
    try:
        engine.searcher(problem)
    except UserError as error:
        raise UserError(f"{setting}={engine.name}: {error}") from error


def _check_evaluation(evaluation: object, task: SystemTask) -> None:
    if isinstance(evaluation, ProxySettings):
        check_proxy(task, evaluation.overrides)
    if isinstance(evaluation, ScratchSettings | ProxySettings) and evaluation.cuts > 1:
        task.variant(cut=1)


def _check_table(evaluation: TableSettings, problem: Problem) -> None:
    rows = read_scores(Path(evaluation.file), problem.space)
    name = problem.objectives[0].name
    lacking = sum(name != REWARD and name not in scores for scores in rows.values())
    if lacking:
        known = ", ".join(sorted({score for scores in rows.values() for score in scores}))
        raise UserError(f"{evaluation.file}: {lacking} rows have no score {name!r}, only {known}; add a column {name}")


def _check_size(task: SystemTask) -> None:
    from common.search.exhaustive import MOST

    try:
        many = size(task.space, MOST) > MOST
    except UserError:  # a rule spans more architectures than can be counted
        many = True
    if many:
        raise UserError(
            f"search.engine=exhaustive: the space has more than {MOST:,} architectures; give another engine, topk say"
        )
