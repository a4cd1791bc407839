"""Tuning: the settings of training that suit each network best, chosen alike for the winner and for its rivals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from math import inf, isfinite
from random import Random
from statistics import fmean
from typing import TYPE_CHECKING, Any, ClassVar

from common.stages.context import Context
from common.stages.retrain import Retrain
from common.stages.settings import TuneSettings
from common.stages.workers import Job, tune
from common.streams import stream

if TYPE_CHECKING:
    from common.objective import Objective


@dataclass(frozen=True, slots=True, kw_only=True)
class Tune:
    """Trains every network that `retrain` will train with the same combinations of settings; the validation split chooses."""

    settings: TuneSettings
    retrain: Retrain
    name: str = "tune"
    parallel: ClassVar[bool] = True

    def run(self, context: Context) -> Mapping[str, object]:
        """Trains what is not trained yet; gives the settings chosen for each network, and how many trainings chose them."""
        folder, objective = context.folder, context.task.objectives[0]
        rivals = self.retrain.rivals(context)
        grid = combinations(self.settings, stream(context.seed, "combinations"))
        jobs = [
            Job(name=name, kind=kind, arch=arch, seed=seed, overrides=words)
            for seed in range(self.settings.seeds)
            for words in grid
            for name, kind, arch in rivals
        ]
        log = folder.log("tuned.jsonl")
        log.repair()
        done = {(row["name"], row["seed"], tuple(row["words"])) for row in log.rows()}
        left = [job for job in jobs if (job.name, job.seed, job.overrides) not in done]
        work = partial(tune, context.factory, context.seed, context.device, self.settings.cuts)
        with context.progress.stage(self.name, len(jobs), len(done)) as bar:
            for job, row in zip(left, context.pool.map(work, left), strict=True):
                log.append(row)
                bar.advance(1, note=f"{job.name}: {_said(row, objective.name)}")
        rows = log.rows()
        chosen = {name: list(best(rows, name, grid, objective)) for name, _, _ in rivals}
        return {"chosen": chosen, "combinations": len(grid), "seeds": self.settings.seeds, "cuts": self.settings.cuts}


def combinations(settings: TuneSettings, rng: Random) -> list[tuple[str, ...]]:
    """Combinations of the grid, as overrides, in its order; one empty combination if there is no grid.

    Args:
        settings: what is tuned, and how many combinations are tried.
        rng: draws them, if not all are.
    """
    names = list(settings.grid)
    every = [tuple(f"{n}={v!r}" for n, v in zip(names, values)) for values in product(*settings.grid.values())]
    if not 0 < settings.most < len(every):
        return every
    return [every[i] for i in sorted(rng.sample(range(len(every)), settings.most))]


def best(rows: Sequence[Mapping[str, Any]], name: str, grid: Sequence[tuple[str, ...]], objective: Objective) -> tuple[str, ...]:
    """The combination with the best mean validation score of a network, the first of equals; one that diverged comes last."""
    sign = 1 if objective.direction == "max" else -1
    scores: dict[tuple[str, ...], list[float]] = {words: [] for words in grid}
    for row in rows:
        if row["name"] == name:
            value = sign * row["val"].get(objective.name, -sign * inf)
            scores[tuple(row["words"])].append(value if isfinite(value) else -inf)
    return max(grid, key=lambda words: fmean(scores[words]) if scores[words] else -inf)


def _said(row: Mapping[str, Any], metric: str) -> str:
    value = row["val"].get(metric)
    return "diverged" if value is None else f"val {metric} {value:.3f}"
