"""Studies: what the best so far is, what a query costs, and that nothing depends on the number of processes."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from random import Random

import numpy as np
import pytest

from common.errors import UserError
from common.objective import Objective, hypervolume
from common.search.aging_evolution import AgingEvolution
from common.search.base import Proposal
from common.search.generations import GenerationSearcher
from common.search.nsga2 import NSGA2
from common.search.random import RandomSearch
from common.space import OneOf, enumerate_all
from common.tables.columns import Lookup
from common.tables.study import Run, Study, each, front, runs, study, summary
from common.tables.table import Table
from tests.common.evaluate import jobs

SPACE = (OneOf(*"abcd"), OneOf(*"abc"))
SHORT = np.array([5.0, 1, 9, 2, 4, 7, 3, 8, 6, 0, 11, 10])
LONG = 100 - SHORT  # what looks best after a short training is worst after a long one
TABLE = Table(
    name="tiny",
    title="Tiny",
    space=SPACE,
    objective=Objective("valid"),
    result=Objective("test"),
    row=Lookup(("0", "1"), (4, 3), range(12)),
    scores={"short": {"valid": SHORT, "test": 10 * SHORT}, "long": {"valid": LONG, "test": LONG}},
    epochs={"short": 4.0, "long": 10.0},
    costs={"size": np.arange(12.0)},
    features=Lookup(("0", "1"), (4, 3), np.eye(12, dtype=np.float32)),
)
ARCHS = list(enumerate_all(SPACE))


@dataclass(slots=True)
class Script(GenerationSearcher):
    """Proposes what it is told to, one after the other."""

    plan: tuple[tuple[int, str], ...] = field(kw_only=True)

    def __post_init__(self) -> None:
        self._begin("script", 1, 1)

    def _make(self, start: int, n: int, rng: Random) -> list[Proposal]:
        row, fidelity = self.plan[start]
        self._generations.unseen.add(ARCHS[row])
        return [Proposal(arch=ARCHS[row], fidelity=fidelity)]


def scripted(plan, table, seed):
    return Script(table.space, [table.objective], plan=plan)


def random(table, seed):
    return RandomSearch(table.space, [table.objective], seed=seed)


def aging(table, seed):
    return AgingEvolution(table.space, [table.objective], seed=seed, population=3, tournament=2)


def both(table, seed):
    return NSGA2(table.space, [table.objective, Objective("size", "min")], seed=seed, population=4)


def broken(table, seed):
    raise UserError(f"no searcher for seed {seed}")


def test_the_best_so_far_is_by_the_objective_and_judged_by_the_result():
    plan = tuple((row, "") for row in (3, 0, 1, 2, 4, 10))
    found = study(TABLE, partial(scripted, plan), [0], 6)
    assert found.best.tolist() == [[2, 5, 5, 9, 9, 11]]
    assert found.result.tolist() == [[20, 50, 50, 90, 90, 110]]
    assert found.runs[0].steps == ((1, 2.0, 20.0), (2, 5.0, 50.0), (4, 9.0, 90.0), (6, 11.0, 110.0))
    assert found.seconds > 0


def test_queries_are_charged_by_epochs_and_only_the_highest_fidelity_compares():
    plan = ((0, "short"), (2, "short"), (2, "long"), (0, "long"), (10, "short"), (1, "long"))
    found = study(TABLE, partial(scripted, plan), [0], 9)
    # 1, 2, 4.5, 7, 8, 10.5 queries: the first long result takes over, a short one is no match, the last comes too late
    assert found.best.tolist() == [[5, 9, 9, 9, 91, 91, 95, 95, 95]]
    assert found.result.tolist() == [[50, 90, 90, 90, 90, 90, 50, 50, 50]]


def test_nothing_is_known_before_the_first_result():
    found = study(TABLE, partial(scripted, ((0, "long"), (1, "long"))), [0], 5)
    assert np.isnan(found.best[0, :2]).all() and found.best[0, 2:].tolist() == [95, 95, 99]
    assert np.isnan(summary(found.best, 1).mean)


def test_a_space_that_is_exhausted_keeps_what_was_found(caplog):
    found = study(TABLE, random, [0, 1], 20)
    assert found.best.shape == (2, 20)
    assert (found.best[:, 11:] == 11).all()
    assert "exhausted after 12" in caplog.text


@pytest.mark.parametrize("make", [random, aging])
def test_processes_do_not_change_what_is_found(make):
    seeds = [4, 0, 7]
    alone, together = study(TABLE, make, seeds, 8), study(TABLE, make, seeds, 8, workers=2)
    assert [(run.seed, run.steps) for run in alone.runs] == [(run.seed, run.steps) for run in together.runs]
    assert [run.seed for run in alone.runs] == seeds
    assert (np.diff(alone.best) >= 0).all()
    assert study(TABLE, make, [7], 8).runs[0].steps == alone.runs[2].steps


def test_summaries():
    values = np.array([[1.0, 10.0], [2.0, 20.0], [3.0, 60.0]])
    found = summary(values, 2)
    assert (found.mean, found.median, found.seeds) == (30.0, 20.0, 3)
    assert found.std == pytest.approx(np.std([10, 20, 60], ddof=1))
    assert found.error == pytest.approx(found.std / np.sqrt(3))
    assert (found.low, found.high) == (pytest.approx(12), pytest.approx(52))
    assert np.isnan(summary(values[:1], 1).std)
    with pytest.raises(UserError, match="summary at 3 queries: the study has 1 to 2"):
        summary(values, 3)
    run = Run(seed=0, steps=((2, 1.0, 5.0),), seconds=0.1)
    assert Study(queries=3, runs=[run]).result[0].tolist()[1:] == [5.0, 5.0]


def test_the_volume_of_a_front_grows_to_that_of_the_table():
    volumes = front(TABLE, both, [0, 1], [3, 6, 12], (0.0, 12.0))
    assert volumes.shape == (2, 3)
    assert (np.diff(volumes) >= 0).all()
    points = np.stack([SHORT, np.arange(12.0)], axis=1)
    everything = hypervolume(points, (0.0, 12.0), [TABLE.objective, Objective("size", "min")])
    assert volumes[:, -1].tolist() == [everything, everything]


@pytest.mark.parametrize("workers", [0, 1])
def test_an_error_of_a_run_is_passed_on(workers):
    with pytest.raises(UserError, match="no searcher for seed 3"):
        study(TABLE, broken, [3, 4], 5, workers)


def test_an_empty_study_is_refused():
    for seeds, queries in (([], 5), ([0], 0)):
        with pytest.raises(UserError, match="give at least one of each"):
            list(runs(TABLE, random, seeds, queries))


@pytest.mark.parametrize("workers", [0, 1])
def test_every_process_computes_with_one_thread_whatever_the_shell_exports(workers, monkeypatch):
    monkeypatch.setenv("MKL_NUM_THREADS", "4")
    assert list(each(jobs.threads, [0], workers)) == [1]


def test_each_keeps_the_order():
    assert list(each(abs, [-3, 2, -1])) == [3, 2, 1]
