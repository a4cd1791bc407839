"""Which paths are trained and which are tried: the widest alone, all that keep the budget, a first generation that leans."""

from math import inf, nan
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from safetensors.torch import load_file

from common.engines import AnyEngine, Exhaustive, TopK
from common.errors import UserError
from common.evaluate.base import Scores
from common.evaluate.pool import WorkerDied
from common.evaluate.settings import InheritedSettings
from common.evaluate.wrappers import failed
from common.run.checkpoint import save_weights
from common.run.progress import Progress
from common.search.exhaustive import Exhaustive as ExhaustiveSearch
from common.search.random import RandomSearch
from common.search.topk_evolution import TopKEvolution
from common.space import Arch, OneOf, enumerate_all
from common.stages.context import Context
from common.stages.search import RandomBaseline, Search, number_of_trials, problem_of, sampled
from common.stages.settings import PathPhaseSettings, SearchSettings
from common.stages.supernet import TrainSupernet, build_supernet, path_policy
from common.stages.trials import run_trials
from common.streams import derive
from common.train.optim import OptimSettings
from tests.common.run.rows import rows
from tests.common.stages.toy import TunedToy, opened

LARGEST = PathPhaseSettings(steps=3, batch=8, optim=OptimSettings(name="sgd", lr=0.05), paths="largest")
ALL = SearchSettings(engine=Exhaustive(), trials=2, evaluation=InheritedSettings(calibration_batches=1, images=32))


def searcher_of(settings: SearchSettings, context: Context) -> tuple[Any, int]:
    """The searcher of a run and the number of its trials."""
    problem = problem_of(settings, context.task, context.constraints, context.seed)
    searcher = sampled(settings.engine).searcher(problem)
    return searcher, number_of_trials(settings, searcher)


def with_engine(engine: AnyEngine, trials: int = 50) -> SearchSettings:
    return SearchSettings(engine=engine, trials=trials, evaluation=InheritedSettings())


def test_the_widest_path_is_that_of_the_largest_options_at_every_step():
    task = TunedToy()
    policy = path_policy(task, LARGEST, 0, "p")
    assert [policy(step) for step in (0, 1, 7)] == [[Arch({"kernels.0": 3, "kernels.1": 3})]] * 3
    falling = cast("Any", SimpleNamespace(space=(OneOf(64, 48, 16), OneOf("small", "large"))))
    assert path_policy(falling, LARGEST, 0, "p")(0) == [Arch({"0": 0, "1": 1})], "numbers by their value, others by their place"


def test_training_the_widest_path_moves_nothing_beside_it(tmp_path):
    task = TunedToy(training=LARGEST)
    before = build_supernet(task, derive(0, "supernet"), "cpu")
    with opened(tmp_path / "run", task) as context:
        TrainSupernet(name="supernet first", index=0).run(context)
        after = load_file(context.weights("first"))
    moved = {name for name, value in before.module.named_parameters() if not torch.equal(after[name], value)}
    before.activate(Arch({"kernels.0": 3, "kernels.1": 3}))
    assert moved == {name for name, _ in before.active_parameters()} < {name for name, _ in before.module.named_parameters()}


def with_weights(context: Context) -> None:
    """As if a supernet had been trained."""
    file = context.weights("second")
    file.parent.mkdir(exist_ok=True)
    save_weights(file, build_supernet(context.task, 3, "cpu").module)


def searched(path: Path, upper: float | None = None) -> dict[str, Any]:
    """A search through everything, and a random one beside it."""
    with opened(path, TunedToy(), upper=upper) as context:
        with_weights(context)
        result = dict(Search(settings=ALL).run(context))
        return {"search": result, "random": dict(RandomBaseline(settings=ALL).run(context))}


@pytest.mark.parametrize("few", [False, True])
def test_a_search_through_everything_tries_all_that_keep_the_budget_and_random_search_as_many(few, tmp_path):
    task = TunedToy()
    costs = {arch: task.costs(arch)["macs"] for arch in enumerate_all(task.space)}
    upper = sorted(costs.values())[6] if few else None
    kept = {arch for arch, cost in costs.items() if upper is None or cost <= upper}
    assert ALL.trials == 2 < len(kept) <= len(costs) == 16 and (len(kept) < 16) == few
    result = searched(tmp_path / "run", upper)
    with opened(tmp_path / "run", task, upper=upper) as context:
        trials, random = context.folder.trials("trials.jsonl"), context.folder.trials("random.jsonl")
    assert len(trials) == len(kept) and {trial.arch for trial in trials} == kept
    assert len({trial.arch for trial in random}) == len(random) == result["random"]["trials"] == len(kept)
    best = max(trials, key=lambda trial: (trial.scores["accuracy"], -trial.id))
    assert (result["search"]["trials"], result["search"]["best"]) == (len(kept), best.id)


def test_a_search_through_everything_goes_on_where_it_was_cut(tmp_path):
    whole = searched(tmp_path / "whole")
    searched(tmp_path / "run")
    for name, n in (("trials", 5), ("random", 2)):
        file = tmp_path / "run" / f"{name}.jsonl"
        file.write_text("".join(file.read_text().splitlines(keepends=True)[:n]))
    assert searched(tmp_path / "run") == whole
    assert rows(tmp_path / "run", "trials") == rows(tmp_path / "whole", "trials")
    assert rows(tmp_path / "run", "random") == rows(tmp_path / "whole", "random")


def test_the_engine_is_the_one_named_with_its_budget_in_trials(tmp_path):
    with opened(tmp_path / "run", TunedToy(), seed=5, upper=1e9) as context:
        searcher, budget = searcher_of(ALL, context)
        assert isinstance(searcher, ExhaustiveSearch) and budget == len(searcher) == 16 and searcher.seed == 5
        searcher, budget = searcher_of(with_engine(TopK(population=7, mutants=2, crossovers=1, parents=4), 21), context)
        assert isinstance(searcher, TopKEvolution) and budget == 21 and searcher.first is None
        assert (searcher.seed, searcher.mutants, searcher.crossovers, searcher.parents) == (5, 2, 1, 4)
        archs = enumerate_all(context.task.space)
        assert [searcher.feasible(arch) for arch in archs] == [True] * 16 and searcher.rule == "macs <= 1,000,000,000"


def test_a_budget_that_nothing_keeps_is_named_by_a_search_through_everything(tmp_path):
    message = "the constraint 'macs <= 1' is kept by no architecture"
    with opened(tmp_path / "run", TunedToy(), upper=1) as context, pytest.raises(UserError, match=message):
        searcher_of(ALL, context)


@pytest.mark.parametrize(("ratio", "last"), [(9.0, 0.45), (1 / 9, 0.05)])
def test_the_first_generation_of_evolution_leans_as_it_is_told(ratio, last, tmp_path):
    with opened(tmp_path / "run", TunedToy()) as context:
        searcher, _ = searcher_of(with_engine(TopK(lean=ratio)), context)
    assert isinstance(searcher, TopKEvolution) and searcher.first is not None
    rng = Random(0)
    drawn = [searcher.first(rng)["kernels.0"] for _ in range(4000)]
    assert drawn.count(3) / 4000 == pytest.approx(last, abs=0.03)


@pytest.mark.parametrize("ratio", [0.0, -1.0, nan, inf])
def test_a_ratio_that_is_none_is_refused(ratio):
    with pytest.raises(UserError, match=rf"search\.engine\.lean={ratio}: give a ratio above 0"):
        TopK(lean=ratio)


def test_a_candidate_whose_worker_died_is_tried_again_on_resume(tmp_path, monkeypatch):
    """It failed for lack of memory, say: the trials after it stay, and failures of candidates themselves are final."""
    task, said = TunedToy(), []
    monkeypatch.setattr(Progress, "say", lambda self, text: said.append(text) if text.startswith("note") else None)

    def search(results):
        asked, left = [], iter(results)

        def evaluator(archs, fidelity):
            asked.extend(archs)
            return [next(left) for _ in archs]

        with opened(tmp_path / "run", task) as context:
            searcher = RandomSearch(task.space, task.objectives, seed=0)
            trials = run_trials(context, searcher, evaluator, 6, "trials.jsonl", "search")
            assert context.folder.trials() == trials
        return trials, asked

    good, died, own = Scores(values={"accuracy": 0.5}), failed(WorkerDied("job 1 (x)")), failed(ValueError("bad"))
    first, _ = search([good, died, died, own, good, good])
    assert [trial.id for trial in first if trial.status == "failed"] == [1, 2, 3] and not said
    assert "run again with --resume to try it again" in first[1].error
    second, asked = search([good, died])
    assert asked == [first[1].arch, first[2].arch]
    assert said == ["note: the worker process of 2 candidates died; they are tried again (trials 1, 2)"]
    assert [trial.id for trial in second if trial.status == "failed"] == [2, 3]
    assert second[1].scores == good.values and [trial.arch for trial in second] == [trial.arch for trial in first]
    third, asked = search([good])
    assert (
        asked == [first[2].arch] and said[-1] == "note: the worker process of 1 candidates died; they are tried again (trials 2)"
    )
    assert search([]) == (third, [])
