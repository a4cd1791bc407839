"""Studies: a searcher on a table, again and again with other seeds, and what came of it by number of queries."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from time import process_time
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from common.errors import UserError
from common.objective import hypervolume
from common.processes import server
from common.search.base import Searcher, Trial
from common.search.driver import search
from common.tables.table import Table

Make = Callable[[Table, int], Searcher]
"""A fresh searcher for a table and a seed: a module-level function or a `functools.partial` of one."""
Step = tuple[int, float, float]
Array = NDArray[np.float64]
R = TypeVar("R")

_job: Callable[[int], Any] | None = None  # what this worker process was started for


class _Spent(Exception):
    """The budget is used up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one seed found.

    Attributes:
        seed: Of the searcher.
        steps: (query, objective, result) whenever another architecture became the best so far, queries counted from 1.
        seconds: Per query, of processor time: wall-clock time of one thread that nothing else disturbs. Looking the scores up is
            included (some microseconds).
    """

    seed: int
    steps: tuple[Step, ...]
    seconds: float

    def curve(self, queries: int, what: int) -> Array:
        """Entry `what` of the steps after each query, shape (queries,); nan before the first of them."""
        values = np.full(queries, np.nan)
        for step in self.steps:
            values[step[0] - 1 :] = step[what]
        return values


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """The runs of one searcher on one table.

    Attributes:
        queries: How many each run was given.
        runs: One for each seed.
    """

    queries: int
    runs: Sequence[Run]

    @property
    def best(self) -> Array:
        """Objective of the best so far, shape (seeds, queries)."""
        return np.array([run.curve(self.queries, 1) for run in self.runs])

    @property
    def result(self) -> Array:
        """Result of the architecture that is the best so far by the objective, shape (seeds, queries)."""
        return np.array([run.curve(self.queries, 2) for run in self.runs])

    @property
    def seconds(self) -> float:
        """Processor time per query, the median over the seeds."""
        return float(np.median([run.seconds for run in self.runs]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Values of several seeds at one number of queries.

    Attributes:
        mean: Of the seeds.
        std: Standard deviation over the seeds, with n - 1; nan for a single one.
        error: Standard error of the mean.
        low: 10 % quantile.
        median: 50 % quantile.
        high: 90 % quantile.
        seeds: How many.
    """

    mean: float
    std: float
    error: float
    low: float
    median: float
    high: float
    seeds: int


def summary(values: Array, query: int) -> Summary:
    """What column `query` (from 1) of (seeds, queries) values says; seeds that had nothing yet make the mean nan.

    Raises:
        UserError: There are fewer queries.
    """
    if not 1 <= query <= values.shape[1]:
        raise UserError(f"a summary at {query} queries: the study has 1 to {values.shape[1]}")
    column = values[:, query - 1]
    std = float(column.std(ddof=1)) if len(column) > 1 else math.nan
    low, median, high = (float(q) for q in np.quantile(column, (0.1, 0.5, 0.9)))
    return Summary(
        mean=float(column.mean()),
        std=std,
        error=std / math.sqrt(len(column)),
        low=low,
        median=median,
        high=high,
        seeds=len(column),
    )


def study(table: Table, make: Make, seeds: Sequence[int], queries: int, workers: int = 0) -> Study:
    """Runs a searcher with every seed.

    A query is an evaluation at the table's default fidelity; one at another fidelity is charged by its epochs. Of a searcher that
    uses several, only the trials at the highest fidelity it has used so far compare; until a new fidelity has its first result,
    the best of the one before stands. A space smaller than the budget is searched to its end, and what was found stands.

    Args:
        table: Gives the scores.
        make: Makes the searcher.
        seeds: One run for each.
        queries: Budget of each run.
        workers: Processes; 0 runs all in this one. Results but for `seconds` do not depend on it: see `each`.

    Raises:
        UserError: No seeds, no queries, or whatever the searcher has to say.
    """
    return Study(queries=queries, runs=tuple(runs(table, make, seeds, queries, workers)))


def runs(table: Table, make: Make, seeds: Sequence[int], queries: int, workers: int = 0) -> Iterator[Run]:
    """The runs of `study` one by one, each as soon as it and those before it are done."""
    if queries < 1 or not seeds:
        raise UserError(f"a study of {len(seeds)} seeds and {queries} queries: give at least one of each")
    return each(partial(_run, table, make, queries), seeds, workers)


def front(
    table: Table, make: Make, seeds: Sequence[int], at: Sequence[int], reference: Sequence[float], workers: int = 0
) -> Array:
    """Hypervolume of what a searcher with several objectives has evaluated, by number of queries.

    Args:
        table: Gives scores at its default fidelity, and costs.
        make: Makes the searcher.
        seeds: One run for each.
        at: Numbers of queries, rising.
        reference: Corner of the volume, one value for each objective.
        workers: See `each`.

    Returns:
        Shape (seeds, len(at)).
    """
    return np.array(list(each(partial(_front, table, make, tuple(at), tuple(reference)), seeds, workers)))


def each(job: Callable[[int], R], seeds: Sequence[int], workers: int = 0) -> Iterator[R]:
    """Yields `job(seed)` in the order of the seeds, whatever the number of processes; each computes with one torch thread.

    Args:
        job: A module-level function or a `functools.partial` of one; with workers it is pickled once for each of them.
        seeds: What it is called with.
        workers: Processes; 0 runs all in this one.
    """
    if workers == 0:
        import torch

        threads = torch.get_num_threads()
        for seed in seeds:
            torch.set_num_threads(1)
            try:
                result = job(seed)
            finally:
                torch.set_num_threads(threads)
            yield result
        return
    with ProcessPoolExecutor(min(workers, len(seeds)), server(), initializer=_start, initargs=(job,)) as pool:
        try:
            yield from pool.map(_work, seeds)
        except BaseException:  # Ctrl-C, an error, or a reader that stops: what has not begun is not begun
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _start(job: Callable[[int], Any]) -> None:
    global _job
    import torch

    torch.set_num_threads(1)
    _job = job


def _work(seed: int) -> Any:
    if _job is None:
        raise RuntimeError("a worker process without a job")
    return _job(seed)


def _run(table: Table, make: Make, queries: int, seed: int) -> Run:
    searcher = make(table, seed)
    objective, unit = searcher.objectives[0], table.epochs[table.fidelity]
    result = table.scores[table.fidelity][table.result.name]
    charge = {name: epochs / unit for name, epochs in table.epochs.items()}
    steps: list[Step] = []
    spent, level, least = 0.0, 0.0, math.inf

    def observe(trial: Trial) -> None:
        nonlocal spent, level, least
        spent += charge[trial.fidelity]
        if (query := math.ceil(spent - 1e-9)) > queries:
            raise _Spent
        if trial.status == "ok" and (table.epochs[trial.fidelity], -objective.loss(trial.value(objective))) > (level, -least):
            level, least = table.epochs[trial.fidelity], objective.loss(trial.value(objective))
            steps.append((query, float(trial.value(objective)), float(result[table.row(trial.arch)])))
        if spent >= queries - 1e-9:
            raise _Spent

    start = process_time()
    try:
        most = math.ceil(queries / min(charge.values()))
        _search(table, searcher, most, observe)
    except _Spent:
        pass
    return Run(seed=seed, steps=tuple(steps), seconds=(process_time() - start) / max(1.0, min(spent, queries)))


def _search(table: Table, searcher: Searcher, budget: int, observe: Callable[[Trial], None] | None = None) -> list[Trial]:
    """The search on the table, priced where an objective is a cost: prices take longer than scores."""
    measured = table.scores[table.fidelity]
    priced = any(objective.name not in measured for objective in searcher.objectives)
    cost = table.cost if priced else None
    return search(searcher, table.evaluator, budget=budget, fidelity=table.fidelity, observe=observe, cost=cost)


def _front(table: Table, make: Make, at: tuple[int, ...], reference: tuple[float, ...], seed: int) -> list[float]:
    searcher = make(table, seed)
    trials = _search(table, searcher, max(at))
    points = [[trial.value(objective) for objective in searcher.objectives] for trial in trials]
    return [hypervolume(points[:query], reference, searcher.objectives) for query in at]
