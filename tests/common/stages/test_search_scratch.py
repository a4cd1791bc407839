"""Candidates trained from scratch: which engine proposes them, how long they are trained, and that a cut leaves no trace."""

import signal
from functools import partial
from typing import Any

import pytest

from common.engines import Aging, Halving, Random, Reinforce
from common.errors import UserError
from common.evaluate.base import Scores
from common.evaluate.scratch import FromScratch
from common.evaluate.settings import ScratchSettings
from common.run.folder import RunFolder
from common.search.aging_evolution import AgingEvolution
from common.search.random import RandomSearch
from common.search.reinforce import Reinforce as PolicySearch
from common.search.successive_halving import SuccessiveHalving
from common.space import Arch
from common.stages.evaluators import make_scratch
from common.stages.search import Search, problem_of
from common.stages.settings import PathPhaseSettings, SearchSettings
from common.streams import derive
from common.train.optim import OptimSettings
from tests.common.run.killing import die, forked, status
from tests.common.run.rows import rows
from tests.common.stages.paths_toy import ToyPhase
from tests.common.stages.toy import TunedToy, opened

ENGINES = {
    "random": (RandomSearch, Random(), {}),
    "aging": (
        AgingEvolution,
        Aging(population=4, tournament=2, children=3),
        {"population": 4, "tournament": 2, "children": 3},
    ),
    "reinforce": (PolicySearch, Reinforce(children=3, rate=0.02), {"children": 3, "rate": 0.02}),
    "halving": (
        SuccessiveHalving,
        Halving(candidates=4, shares=(0.5, 1.0), eta=2, parents=1),
        {"initial": 4, "fidelities": ("0.5", "full"), "eta": 2, "parents": 1},
    ),
}


def settings(engine: str, trials: int = 7) -> SearchSettings:
    return SearchSettings(engine=ENGINES[engine][1], trials=trials, evaluation=ScratchSettings())


def short(trials: int, **evaluation: Any) -> SearchSettings:
    """Random search with these settings of the evaluation."""
    return SearchSettings(engine=Random(), trials=trials, evaluation=ScratchSettings(**evaluation))


@pytest.mark.parametrize("engine", ENGINES)
def test_the_engine_is_the_one_named_with_its_settings(engine, tmp_path):
    kind, _, expected = ENGINES[engine]
    with opened(tmp_path / "run", TunedToy(), seed=5, upper=1e9) as context:
        problem = problem_of(settings(engine), context.task, context.constraints, context.seed)
        searcher = ENGINES[engine][1].searcher(problem)
        assert type(searcher) is kind and {name: getattr(searcher, name) for name in expected} == expected
        assert searcher.seed == 5 and searcher.feasible is problem.feasible and searcher.rule == "macs <= 1,000,000,000"
        assert list(searcher.objectives) == list(context.task.objectives), "all of them, the quality first"
        assert searcher.space is context.task.space


def test_of_halving_the_first_candidates_can_be_given(tmp_path):
    given = [Arch({"kernels.0": 3, "kernels.1": i}) for i in range(2)]
    with opened(tmp_path / "run", TunedToy()) as context:
        Search(settings=settings("halving", trials=3), first=lambda context: given).run(context)
        assert [trial.arch for trial in context.folder.trials()][:2] == given


def search(path, engine: str, *, seed: int = 0, upper: float | None = None) -> dict:
    with opened(path, TunedToy(), seed=seed, upper=upper) as context:
        return dict(Search(settings=settings(engine)).run(context))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_cut_search_is_replayed_from_its_trials(engine, tmp_path, monkeypatch):
    """It dies between two candidates, and in the training of one; nothing is trained twice."""
    whole, path = tmp_path / "whole", tmp_path / "run"
    expected = search(whole, engine)

    def dying(owner, name: str, at: int) -> None:
        real, calls = getattr(owner, name), iter(range(1000))
        setattr(owner, name, lambda *values: die() if next(calls) == at else real(*values))
        search(path, engine)

    assert status(forked(partial(dying, RunFolder, "append_trial", 2))) == -signal.SIGKILL
    assert len(rows(path, "trials")) == 2
    assert status(forked(partial(dying, ToyPhase, "batch_at", 15))) == -signal.SIGKILL
    done = len(rows(path, "trials"))
    assert 2 < done < 7
    trained, real = [], FromScratch.__call__
    monkeypatch.setattr(
        FromScratch, "__call__", lambda self, archs, fidelity: trained.extend(archs) or real(self, archs, fidelity)
    )
    assert search(path, engine) == expected and len(trained) == 7 - done
    assert rows(path, "trials") == rows(whole, "trials")
    assert search(path, engine) == expected and len(trained) == 7 - done


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_found_is_the_best_of_those_trained_longest(engine, tmp_path, monkeypatch):
    """Where a short training gives the higher scores."""

    def scores(self, archs, fidelity):
        ranks = [sum(arch.values()) % 5 for arch in archs]
        return [Scores(values={"accuracy": rank / 10 + (fidelity != "full")}) for rank in ranks]

    monkeypatch.setattr(FromScratch, "__call__", scores)
    result = search(tmp_path / "run", engine)
    trials = rows(tmp_path / "run", "trials")
    longest = [row for row in trials if row["fidelity"] == "full"]
    winner = max(longest, key=lambda row: (row["scores"]["accuracy"], -row["id"]))
    assert result == {
        "trials": 7,
        "best": winner["id"],
        "arch": winner["arch"],
        "scores": winner["scores"],
        "follows": ["accuracy"],
    }
    assert len(longest) == (2 if engine == "halving" else 7)
    assert [row["cost"].keys() for row in trials] == [{"params", "macs"}] * 7


def test_the_seed_decides(tmp_path):
    first, second = (search(tmp_path / str(seed), "random", seed=seed) for seed in (0, 1))
    assert first != second and rows(tmp_path / "0", "trials") != rows(tmp_path / "1", "trials")


@pytest.mark.parametrize("engine", ENGINES)
def test_no_candidate_breaks_a_constraint(engine, tmp_path):
    costs = [row["cost"]["macs"] for row in _trials(tmp_path / "free", engine)]
    upper = sorted(costs)[2]
    limited = [row["cost"]["macs"] for row in _trials(tmp_path / "run", engine, upper)]
    assert max(limited) <= upper < max(costs)


def _trials(path, engine: str, upper: float | None = None) -> list[dict]:
    search(path, engine, upper=upper)
    return rows(path, "trials")


@pytest.mark.parametrize(("fidelity", "said", "steps"), [(1.0, "full", 6), (0.5, "0.5", 3), (0.01, "0.01", 1)])
def test_candidates_are_trained_for_the_share_of_the_steps_that_is_asked_for(fidelity, said, steps, tmp_path, monkeypatch):
    seen, real = [], ToyPhase.batch_at
    monkeypatch.setattr(ToyPhase, "batch_at", lambda self, step, seed: seen.append(step) or real(self, step, seed))
    with opened(tmp_path / "run", TunedToy()) as context:
        Search(settings=short(2, fidelity=fidelity)).run(context)
    assert seen == [*range(steps)] * 4, "two candidates, of two phases each"
    assert [row["fidelity"] for row in rows(tmp_path / "run", "trials")] == [said, said]


def test_scores_are_those_of_training_alone_from_the_searchs_own_seed(tmp_path):
    search(tmp_path / "run", "random", seed=3)
    with opened(tmp_path / "run", TunedToy(), seed=3) as context:
        archs = [trial.arch for trial in context.folder.trials()]
        make = make_scratch(context.factory, derive(3, "scratch"), "cpu")
        found = [row["scores"] for row in rows(tmp_path / "run", "trials")]
    assert [score.values for score in make(archs, "full")] == found
    assert [score.values for score in make_scratch(TunedToy, derive(0, "scratch"), "cpu")(archs, "full")] != found


def test_candidates_are_trained_on_the_cuts_of_the_task(tmp_path, monkeypatch):
    longer = {number: TunedToy(training=PathPhaseSettings(steps=6 + number, batch=8, optim=OptimSettings())) for number in (1, 2)}
    monkeypatch.setattr(TunedToy, "variant", lambda self, overrides=(), cut=0: longer[cut])
    with opened(tmp_path / "run", TunedToy()) as context:
        Search(settings=short(1, cuts=3)).run(context)
        (trial,) = context.folder.trials()
    expected = FromScratch(task=TunedToy(), seed=derive(0, "scratch"), others=list(longer.values()))([trial.arch], "full")[0]
    assert trial.scores == expected.values


def test_candidates_that_diverge_fail_and_if_all_do_it_is_said(tmp_path):
    task = TunedToy(training=PathPhaseSettings(steps=6, batch=8, optim=OptimSettings(lr=1e30)))
    with opened(tmp_path / "run", task) as context, pytest.raises(UserError, match=r"all 3 candidates failed .*TrainingDiverged"):
        Search(settings=settings("random", trials=3)).run(context)
    assert [row["status"] for row in rows(tmp_path / "run", "trials")] == ["failed"] * 3


@pytest.mark.parametrize(
    ("make", "values", "message"),
    [
        (SearchSettings, {"trials": 0}, r"search\.trials=0: give 1 or more"),
        (ScratchSettings, {"fidelity": 0.0}, r"search\.evaluation\.fidelity=0\.0: give a share of the training steps above 0"),
        (ScratchSettings, {"fidelity": 1.5}, r"search\.evaluation\.fidelity=1\.5: give a share"),
        (ScratchSettings, {"cuts": 0}, r"search\.evaluation\.cuts=0: give 1 or more"),
        (Halving, {"shares": (1.0, 0.5)}, r"search\.engine\.shares=\[1\.0, 0\.5\]: give rising shares"),
    ],
)
def test_settings_are_checked(make, values, message):
    with pytest.raises(UserError, match=message):
        make(**values)


@pytest.mark.parametrize(
    ("engine", "message"),
    [
        (Aging(children=0), "0 children"),
        (Reinforce(rate=0.0), "rate 0.0"),
        (Halving(eta=1), "eta=1"),
        (Halving(parents=-1), "parents=-1"),
    ],
)
def test_settings_of_an_engine_are_checked_when_its_searcher_is_made(engine, message):
    task = TunedToy()
    with pytest.raises(UserError, match=message):
        engine.searcher(problem_of(SearchSettings(engine=engine, evaluation=ScratchSettings()), task, [], 0))
