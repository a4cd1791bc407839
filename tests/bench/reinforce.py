"""Which settings of REINFORCE suit a budget of 60 trials: `python -m tests.bench.reinforce` writes docs/results/reinforce.md.

Settings are compared on one half of the tables and the best is measured on the other half, with other seeds. A gain is what the
best architecture of a search has above that of random search, in standard deviations of random search over its seeds, so that
tables can be averaged.
"""

from __future__ import annotations

import argparse
import datetime
import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from common.run.environment import environment
from common.run.files import write_atomic
from common.script import spoken_errors
from common.search.base import Searcher
from common.search.policy import Independent
from common.search.policy_lstm import LSTM
from common.search.random import RandomSearch
from common.search.reinforce import Reinforce
from common.tables.load import data_folder, load
from common.tables.study import study
from common.tables.table import Table
from tests.bench.out import check_out

ROOT = Path(__file__).resolve().parents[2]
TUNED_ON = ("nasbench201-cifar10", "nasbench-graph-cora", "nasbench-graph-pubmed", "nasbench-graph-photo")
HELD_OUT = ("nasbench201-cifar100", "nasbench-graph-citeseer", "nasbench-graph-cs", "nasbench-graph-computers")
RATES = {"lstm": (3.5e-4, 0.01, 0.03), "independent": (0.03, 0.1, 0.3)}
CHILDREN = 2
"""Architectures for each update: the default of the engine, one for each of two workers."""


class Choice(NamedTuple):
    """Settings of REINFORCE that are compared."""

    policy: str
    rate: float

    def searcher(self, table: Table, seed: int) -> Searcher:
        """REINFORCE with these settings."""
        policy = LSTM() if self.policy == "lstm" else Independent()
        return Reinforce(table.space, [table.objective], seed=seed, policy=policy, rate=self.rate, children=CHILDREN)


PUBLISHED = Choice("lstm", 3.5e-4)
"""Those of GraphNAS, the defaults of the engine."""


class Gain(NamedTuple):
    """Mean gain over the seeds of one table, and its standard error."""

    mean: float
    error: float


def _random(table: Table, seed: int) -> Searcher:
    return RandomSearch(table.space, [table.objective], seed=seed)


def gains(table: Table, choices: Sequence[Choice], seeds: Sequence[int], queries: int, workers: int) -> list[Gain]:
    """Of each choice on one table."""
    sign = 1.0 if table.objective.direction == "max" else -1.0

    def best(make: object) -> np.ndarray:
        return sign * study(table, make, seeds, queries, workers).best[:, -1]  # pyright: ignore[reportArgumentType]

    random = best(_random)
    unit, n = float(random.std(ddof=1)), len(seeds)
    found = []
    for choice in choices:
        apart = (best(partial(_made, choice)) - random.mean()) / unit
        found.append(Gain(float(apart.mean()), math.hypot(float(apart.std(ddof=1)) / math.sqrt(n), 1 / math.sqrt(n))))
    return found


def _made(choice: Choice, table: Table, seed: int) -> Searcher:
    return choice.searcher(table, seed)


def averaged(found: Sequence[Gain]) -> Gain:
    """Over tables, each counting alike."""
    return Gain(float(np.mean([g.mean for g in found])), math.sqrt(sum(g.error**2 for g in found)) / len(found))


def page(options: argparse.Namespace, tuned: dict[Choice, Gain], best: Choice, held: dict[str, list[Gain]]) -> str:
    """The page of results; `held` has for each table the gains of the published settings and of the best ones."""
    here, machine = environment(), environment()["machine"]
    lines = [
        "# REINFORCE with a budget of 60 trials",
        "",
        f"Measured on {datetime.date.today().isoformat()} by `python -m tests.bench.reinforce --seeds {options.seeds}` on "
        f"{machine['cpu']} ({machine['cores']} cores), Python {here['versions']['python']}.",
        "",
        f"A gain is the best validation score after {options.queries} trials above the mean of random search, in standard",
        f"deviations of random search over {options.seeds} seeds; after ± the standard error. Gains of tables are averaged.",
        f"A gain of 0 is random search. The policy learns from {CHILDREN} architectures at a time.",
        "",
        f"## Settings, on {len(TUNED_ON)} tables",
        "",
        f"{', '.join(TUNED_ON)}; seeds 0 to {options.seeds - 1}.",
        "",
        "| policy | learning rate | gain |",
        "|---|---|---|",
    ]
    for choice, gain in sorted(tuned.items(), key=lambda item: -item[1].mean):
        mark = " (defaults)" if choice == PUBLISHED else ""
        lines.append(f"| {choice.policy} | {choice.rate}{mark} | {gain.mean:+.2f} ± {gain.error:.2f} |")
    lines += [
        "",
        f"## The best of them, on {len(HELD_OUT)} other tables",
        "",
        f"Seeds {HELD_SEEDS} to {HELD_SEEDS + options.seeds - 1}. Recipe `small` of `graphnas` has the settings on the right.",
        "",
        f"| table | defaults ({PUBLISHED.policy}, rate {PUBLISHED.rate}) | {best.policy}, rate {best.rate} |",
        "|---|---|---|",
    ]
    for name, row in held.items():
        lines.append(f"| {name} | " + " | ".join(f"{gain.mean:+.2f} ± {gain.error:.2f}" for gain in row) + " |")
    means = [averaged([row[i] for row in held.values()]) for i in range(2)]
    lines.append("| mean | " + " | ".join(f"{gain.mean:+.2f} ± {gain.error:.2f}" for gain in means) + " |")
    return "\n".join(lines) + "\n"


HELD_SEEDS = 1000
"""The first seed on the held out tables."""


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options of a command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.reinforce", description="Settings of REINFORCE for few trials.")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "results" / "reinforce.md", help="page to write")
    parser.add_argument("--data", type=Path, default=data_folder(), help="folder that holds nasbench/")
    parser.add_argument("--seeds", type=int, default=20, help="searches with each setting on each table")
    parser.add_argument("--queries", type=int, default=60, help="trials of a search")
    parser.add_argument("--workers", type=int, default=0, help="processes; they change no result")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Everything; see `--help`."""
    options = parsed(arguments)
    check_out(options.out)
    choices = [Choice(policy, rate) for policy, rates in RATES.items() for rate in rates]
    seeds = range(options.seeds)
    rows = []
    for name in TUNED_ON:
        rows.append(gains(load(name, options.data), choices, seeds, options.queries, options.workers))
        print(name, flush=True)
    tuned = {choice: averaged([row[i] for row in rows]) for i, choice in enumerate(choices)}
    best = max(tuned, key=lambda choice: tuned[choice].mean)
    held = {}
    for name in HELD_OUT:
        table = load(name, options.data)
        held[name] = gains(table, [PUBLISHED, best], [HELD_SEEDS + s for s in seeds], options.queries, options.workers)
        print(name, flush=True)
    write_atomic(options.out, page(options, tuned, best, held).encode())
    print(options.out)


if __name__ == "__main__":
    with spoken_errors("No page was written."):
        main()
