"""The noise floor of a search: do candidates differ by more than the seeds of their trainings?

`python -m tests.bench.noise TASK METHOD --out FILE.jsonl [--recipe small] [--data FOLDER] [--archs 8] [--seeds 2] [--share 0.2]`
trains random architectures that keep the budget, each with the same seeds, for a share of the recipe's steps, and measures them
on the validation split. The file keeps a row for each training; to continue, repeat the command.

Worked example of the summary: of three candidates with two trainings each, 30.0 and 30.2, 31.0 and 31.2, 32.0 and 32.2, the means
are 30.1, 31.1 and 32.1. Seeds differ by a standard deviation of 0.14, candidates by 1.0 (that of their means, 1.0, without the
share of the seeds in it, 0.14**2 / 2), and 98 % of the variance of a single training is that of the candidates.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean, variance
from typing import Any

from scipy.stats import spearmanr

from common.arch import labels
from common.evaluate.base import Scores
from common.evaluate.pool import LocalPool
from common.evaluate.scratch import FromScratch
from common.options import RunOptions, settings_of
from common.run.files import Jsonl
from common.script import spoken_errors
from common.search.base import Unseen
from common.space import Arch
from common.stages.context import keeps
from common.stages.run import workers
from common.stages.workers import task_of
from common.streams import derive, stream
from common.system import System, system_of
from common.system_task import SystemTask
from tests.bench.out import check_out

COMMAND = "python -m tests.bench.noise"


@dataclass(frozen=True)
class Floor:
    """Trainings of random architectures, as a function of these values.

    Attributes:
        system: whose networks.
        settings: of the recipe.
        share: of its training steps.
    """

    system: System
    settings: Any
    share: float

    @property
    def task(self) -> SystemTask:
        """The task, made once in a process."""
        return task_of(partial(self.system.make, self.settings, Path("weights")))

    def archs(self, count: int) -> list[Arch]:
        """Different random architectures that keep the budget."""
        from common.objective import Constraint

        task = self.task
        rules = [Constraint(metric, upper=upper) for metric, upper in self.settings.budget.items()]
        unseen, draw = Unseen(task.space, partial(keeps, task, rules), "the budget"), stream(self.settings.seed, "noise")
        return [arch for _ in range(count) if (arch := unseen.sample(draw)) is not None]

    def row(self, item: tuple[int, int]) -> dict[str, Any]:
        """The training of the architecture of a number with a seed."""
        number, seed = item
        task, arch = self.task, self.archs(number + 1)[number]
        train = FromScratch(task=task, seed=derive(self.settings.seed, "noise", seed))
        (scores,) = train([arch], repr(self.share) if self.share < 1 else "full")
        return {"number": number, "seed": seed, "arch": labels(task.space, arch), "cost": dict(task.costs(arch)), **told(scores)}


def told(scores: Scores) -> dict[str, Any]:
    """Validation scores of a training and its seconds, or why it has none."""
    return {"scores": dict(scores.values), "error": scores.error, "seconds": round(scores.seconds, 3)}


def summary(rows: Sequence[Mapping[str, Any]], metric: str) -> dict[str, float]:
    """Standard deviations of candidates and of seeds, and what they make of the order of candidates.

    Args:
        rows: trainings, as many seeds of every architecture, two at least.
        metric: a score.

    Returns:
        `candidates` and `seeds` (standard deviations), `share` (of the variance of a single training, that of candidates), and
        `rank_correlation` (Spearman's, of the first two seeds).
    """
    by_arch: dict[int, list[float]] = {}
    for row in rows:
        by_arch.setdefault(row["number"], []).append(row["scores"][metric])
    groups = list(by_arch.values())
    seeds = fmean(variance(group) for group in groups)
    candidates = max(0.0, variance(map(fmean, groups)) - seeds / len(groups[0]))
    found: Any = spearmanr([group[0] for group in groups], [group[1] for group in groups])
    total = candidates + seeds
    return {
        "candidates": candidates**0.5,
        "seeds": seeds**0.5,
        "share": candidates / total if total else 0.0,
        "rank_correlation": float(found.statistic),
    }


def parsed(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog=COMMAND, description="Do candidates differ by more than the seeds of their trainings?")
    parser.add_argument("task", help="task package, superres say")
    parser.add_argument("method", help="command of a system, hnas say")
    parser.add_argument("--out", type=Path, required=True, help="file of rows")
    parser.add_argument("--recipe", default="small")
    parser.add_argument("--data", help="data folder; none for the embedded data")
    parser.add_argument("--archs", type=int, default=8, help="random architectures, 3 at least")
    parser.add_argument("--seeds", type=int, default=2, help="trainings of each, 2 at least")
    parser.add_argument("--share", type=float, default=0.2, help="of the recipe's training steps")
    parser.add_argument("--workers", type=int, help="processes; they change no result")
    parser.add_argument("--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="any other setting")
    return parser.parse_args(arguments)


def main() -> None:
    """Does what is left to do, and prints the summary."""
    options = parsed()
    if options.archs < 3 or options.seeds < 2 or not 0 < options.share <= 1:
        raise SystemExit(f"{COMMAND}: give --archs 3, --seeds 2, --share above 0 and up to 1, or more")
    system = system_of(options.task, options.method, "command line")
    run = RunOptions(recipe=options.recipe, data=options.data, set=tuple(options.set))
    settings = settings_of(system.method(options.method).recipes, run)
    floor = Floor(system, settings, options.share)
    check_out(options.out)
    log = Jsonl(options.out, of_run=False)
    log.repair()
    done = {(row["number"], row["seed"]) for row in log.rows()}
    archs = len(floor.archs(options.archs))
    missing = [item for seed in range(options.seeds) for number in range(archs) if (item := (number, seed)) not in done]
    with LocalPool(workers(options.workers, "cpu", settings.threads), settings.threads) as pool:
        for row in pool.map(floor.row, missing):
            log.append(row)
            print(f"architecture {row['number']}, seed {row['seed']}: {row['scores'] or row['error']}", flush=True)
    metric = floor.task.objectives[0].name
    rows = [row for row in log.rows() if row["number"] < archs and row["seed"] < options.seeds and not row["error"]]
    print({name: round(value, 4) for name, value in summary(rows, metric).items()})


if __name__ == "__main__":
    with spoken_errors():
        main()
