"""The stages of a one-shot search (SPOS, DetNAS and their kin), for any task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from common.arch import from_labels, labels
from common.errors import UserError
from common.objective import Number, Objective, dominates
from common.oneshot.settings import PathPhaseSettings, SearchSettings
from common.oneshot.training import build_supernet, path_policy
from common.oneshot.workers import make_inherited
from common.run.checkpoint import load_weights, save_weights
from common.search.driver import search
from common.search.random import RandomSearch
from common.search.topk_evolution import TopKEvolution
from common.space import Arch
from common.stages.context import Context, rule_in_words
from common.streams import derive
from common.train.phase import train_phase

if TYPE_CHECKING:
    from common.evaluate.base import Evaluator
    from common.run.progress import Bar
    from common.search.base import Searcher, Trial
    from common.task import Task

LOG_EVERY = 5
"""Steps between two rows of the loss curve."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSupernet:
    """One phase of the supernet's training; begins with the weights of the phase before it."""

    name: str
    index: int
    save_every: int = 200
    """Steps between checkpoints."""

    def run(self, context: Context) -> Mapping[str, object]:
        """Trains, and leaves the weights in `weights/`."""
        task = context.task
        phases = task.phases("supernet")
        phase = phases[self.index]
        assert isinstance(phase.settings, PathPhaseSettings), f"phase {phase.name} of a supernet says which paths it trains"
        supernet = build_supernet(task, derive(context.seed, "supernet"), context.device)
        if self.index:
            load_weights(context.weights(phases[self.index - 1].name), supernet.module)
        steps = phase.settings.steps
        checkpoint = context.folder.checkpoint(self.name)
        saved = checkpoint.load()
        with context.progress.stage(self.name, steps, saved.step if saved else 0) as bar:

            def observe(step: int, values: Mapping[str, float]) -> None:
                if step % LOG_EVERY == 0 or step + 1 == steps:
                    context.folder.append_metrics(self.name, step, values)
                bar.advance(1, loss=values["loss"])

            last = train_phase(
                supernet.module,
                phase,
                seed=derive(context.seed, "supernet", phase.name),
                supernet=supernet,
                policy=path_policy(task, phase.settings, context.seed, phase.name),
                checkpoint=checkpoint,
                observe=observe,
                save_every=self.save_every,
            )
        context.weights(phase.name).parent.mkdir(exist_ok=True)
        save_weights(context.weights(phase.name), supernet.module)
        return {"steps": steps, "last": last}


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Evolution over the supernet's paths under the hard constraints; `trials.jsonl` is its whole state."""

    settings: SearchSettings
    name: str = "search"

    def run(self, context: Context) -> Mapping[str, object]:
        """Searches; gives the best architecture."""
        s = self.settings
        searcher = TopKEvolution(
            context.task.space,
            context.task.objectives[:1],
            seed=context.seed,
            feasible=context.feasible,
            rule=rule_in_words(context.constraints),
            population=s.population,
            mutants=s.mutants,
            crossovers=s.crossovers,
            parents=s.parents,
            rate=s.rate,
        )
        trials = run_search(context, searcher, s, "trials.jsonl", self.name)
        best = best_trial(trials, context.task)
        return {
            "trials": len(trials),
            "best": best.id,
            "arch": labels(context.task.space, best.arch),
            "scores": dict(best.scores),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomBaseline:
    """Random search with as many candidates, to be drawn beside the search."""

    settings: SearchSettings
    name: str = "random search"

    def run(self, context: Context) -> Mapping[str, object]:
        """Searches at random; gives the best score."""
        searcher = RandomSearch(
            context.task.space,
            context.task.objectives[:1],
            seed=derive(context.seed, "random-baseline"),
            feasible=context.feasible,
            rule=rule_in_words(context.constraints),
        )
        trials = run_search(context, searcher, self.settings, "random.jsonl", self.name)
        return {"trials": len(trials), "scores": dict(best_trial(trials, context.task).scores)}


def evaluator(context: Context, settings: SearchSettings) -> Evaluator:
    """Scores with the trained supernet's weights, spread over the workers."""
    last = context.task.phases("supernet")[-1].name
    make = partial(make_inherited, context.factory, context.weights(last), settings, context.device)
    return context.pool.evaluator(make)


def inherited(settings: SearchSettings, context: Context, archs: Sequence[Arch]) -> dict[Arch, dict[str, float]]:
    """Scores under the supernet, kept in `inherited.jsonl`; an architecture that fails has none."""
    log = context.folder.log("inherited.jsonl")
    known = {from_labels(context.task.space, row["arch"], str(log.path)): row["scores"] for row in log.rows()}
    missing = [arch for arch in dict.fromkeys(archs) if arch not in known]  # the baseline may have won
    for arch, scores in zip(missing, evaluator(context, settings)(missing, "full") if missing else [], strict=True):
        known[arch] = dict(scores.values)
        if scores.status == "ok":  # a failure may be one of memory: it is not written down for good
            log.append({"arch": labels(context.task.space, arch), "scores": known[arch]})
        else:
            context.progress.say(f"note: no inherited score of {arch.fingerprint}: {scores.error}")
    return known


def run_search(context: Context, searcher: Searcher, settings: SearchSettings, file: str, name: str) -> list[Trial]:
    """Runs a searcher on the trained supernet, its trials in `file`; goes on where a killed run stopped."""
    task, folder = context.task, context.folder
    history = folder.trials(file)
    standing = Standing(task.objectives)
    for trial in history:
        standing.add(trial)
    with context.progress.stage(name, settings.trials, len(history)) as bar:
        return search(
            searcher,
            evaluator(context, settings),
            budget=settings.trials,
            batch=max(1, 2 * context.pool.workers),
            history=history,
            log=lambda trial: folder.append_trial(trial, file),
            observe=lambda trial: _show(trial, standing, bar),
            cost=task.costs,
        )


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


def best_trial(trials: Sequence[Trial], task: Task) -> Trial:
    """The trial with the best first objective, the earliest of equals.

    Raises:
        UserError: every candidate failed.
    """
    objective = task.objectives[0]
    good = [trial for trial in trials if trial.status == "ok"]
    if not good:
        why = trials[0].error if trials else "none was evaluated"
        raise UserError(f"all {len(trials)} candidates failed ({why}); mend the cause and start a new run")
    sign = -1 if objective.direction == "max" else 1
    return min(good, key=lambda trial: (sign * trial.value(objective), trial.id))
