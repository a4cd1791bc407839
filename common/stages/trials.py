"""A search whose state is its trials, with any evaluator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from common.arch import labels
from common.errors import UserError
from common.evaluate.pool import WorkerDied
from common.objective import Number, Objective, dominates
from common.search.driver import evaluate_again, search
from common.stages.context import Context

if TYPE_CHECKING:
    from common.evaluate.base import Evaluator
    from common.run.progress import Bar
    from common.search.base import Searcher, Trial
    from common.task import Task


def run_trials(
    context: Context, searcher: Searcher, evaluator: Evaluator, budget: int, file: str, name: str, fidelity: str = "full"
) -> list[Trial]:
    """Runs a searcher for `budget` trials, kept in `file` of the run folder; goes on where a killed run stopped.

    Candidates whose worker process died are no final failures, since memory may have been short: they are evaluated again first.
    """
    task, folder = context.task, context.folder
    history = _without_deaths(context, searcher, evaluator, file)
    standing = Standing(searcher.objectives)
    for trial in history:
        standing.add(trial)
    with context.progress.stage(name, budget, len(history)) as bar:
        return search(
            searcher,
            evaluator,
            budget=budget,
            fidelity=fidelity,
            batch=max(1, 2 * context.pool.workers),
            history=history,
            log=lambda trial: folder.append_trial(trial, file),
            observe=lambda trial: _show(trial, standing, bar),
            cost=task.costs,
        )


def _without_deaths(context: Context, searcher: Searcher, evaluator: Evaluator, file: str) -> list[Trial]:
    """The trials in `file`, those whose worker died evaluated again and written down."""
    folder = context.folder
    history = folder.trials(file)
    if lost := [trial for trial in history if trial.error.startswith(f"{WorkerDied.__name__}:")]:
        ids = ", ".join(str(trial.id) for trial in lost[:10]) + (", ..." if len(lost) > 10 else "")
        context.progress.say(f"note: the worker process of {len(lost)} candidates died; they are tried again (trials {ids})")
        for trial in evaluate_again(searcher, evaluator, lost):
            history[trial.id] = trial
        folder.replace_trials(history, file)
    return history


@dataclass(slots=True)
class Standing:
    """What the screen shows of a search, kept up trial by trial, so that a long one does not slow down.

    Attributes:
        objectives: of the task; `best` is by the first one.
        best: the best value so far.
        front: the non-dominated points so far.
        failed: how many candidates failed.
    """

    objectives: Sequence[Objective]
    best: float | None = None
    front: list[list[Number]] = field(default_factory=list)
    failed: int = 0

    def add(self, trial: Trial) -> None:
        """Takes one more trial into account."""
        if trial.status != "ok":
            self.failed += 1
            return
        point = [trial.value(objective) for objective in self.objectives]
        if self.best is None or self.objectives[0].better(point[0], self.best):
            self.best = float(point[0])
        if not any(dominates(other, point, self.objectives) for other in self.front):
            self.front = [other for other in self.front if not dominates(point, other, self.objectives)] + [point]


def _show(trial: Trial, standing: Standing, bar: Bar) -> None:
    standing.add(trial)
    note = f"{standing.failed} failed" if standing.failed else None
    bar.advance(1, best=standing.best, front=len(standing.front) or None, note=note)


def best_trial(trials: Sequence[Trial], objectives: Sequence[Objective]) -> Trial:
    """The best trial by the first objective, of those at the largest share of training that succeeded; the earliest of equals.

    Raises:
        UserError: every candidate failed.
    """
    objective = objectives[0]
    good = [trial for trial in trials if trial.status == "ok"]
    if not good:
        why = trials[0].error if trials else "none was evaluated"
        raise UserError(f"all {len(trials)} candidates failed ({why}); fix the cause and start a new run")
    largest = max(share_of(trial) for trial in good)
    sign = -1 if objective.direction == "max" else 1
    return min((t for t in good if share_of(t) == largest), key=lambda trial: (sign * trial.value(objective), trial.id))


def share_of(trial: Trial) -> float:
    """The share of training that a trial's fidelity stands for."""
    try:
        return float(trial.fidelity)
    except ValueError:
        return 1.0


def found(task: Task, trials: Sequence[Trial], best: Trial) -> dict[str, object]:
    """Result of a search stage: the best architecture, its trial, and its scores."""
    return {"trials": len(trials), "best": best.id, "arch": labels(task.space, best.arch), "scores": dict(best.scores)}
