"""All stages on a task that shares nothing with a real one, without and with kills; and the small rules they follow."""

from __future__ import annotations

import json
from functools import partial
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from common.engines import TopK
from common.errors import UserError
from common.evaluate.inherited import Inherited
from common.evaluate.pool import LocalPool
from common.evaluate.settings import InheritedSettings
from common.objective import Constraint, Objective, fronts
from common.run.folder import RunFolder
from common.run.progress import Progress
from common.run.report import write_report
from common.run.stages import run_stages
from common.search.base import Trial
from common.space import Arch, enumerate_all
from common.stages import training, workers
from common.stages.context import Context, check_feasible, constraint_text
from common.stages.evaluators import inherited_scores, make_inherited
from common.stages.retrain import Retrain, winner_row
from common.stages.search import RandomBaseline, Search
from common.stages.settings import PathPhaseSettings, RetrainSettings, SearchSettings
from common.stages.supernet import TrainSupernet, build_supernet, path_policy
from common.stages.trials import Standing, best_trial
from common.stages.workers import Job
from common.supernet.paths import extreme
from common.train.fit import TrainingDiverged
from common.train.optim import OptimSettings
from tests.common.run.killing import die, forked, status
from tests.common.stages.paths_toy import ToyTask

EVALUATION = InheritedSettings(calibration_batches=2, calibration_batch=16, images=32)
SEARCH = SearchSettings(trials=8, engine=TopK(population=4, mutants=1, crossovers=1, parents=2), evaluation=EVALUATION)
RETRAIN = RetrainSettings(random_archs=2, seeds=2)


def run(path: Path, task: ToyTask, *, seed: int = 0, resume: bool = False, upper: float | None = None, every: int = 2) -> None:
    open_folder = RunFolder.resume if resume else RunFolder.create
    with open_folder(path, {"seed": seed}, task.space) as folder, LocalPool(0) as pool:
        context = Context(
            task=task,
            factory=partial(ToyTask, length=task.length, direction=task.direction),
            folder=folder,
            progress=Progress(quiet=True),
            pool=pool,
            seed=seed,
            device="cpu",
            constraints=[] if upper is None else [Constraint("macs", upper=upper)],
            save_every=every,
        )
        search = Search(settings=SEARCH)
        stages = [
            *(TrainSupernet(name=f"supernet {phase.name}", index=i) for i, phase in enumerate(task.phases("supernet"))),
            search,
            RandomBaseline(settings=SEARCH),
            Retrain(settings=RETRAIN, search=search, inherited=partial(inherited_scores, EVALUATION)),
        ]
        run_stages(stages, folder, Progress(quiet=True), context, "again")


def results(path: Path) -> dict[str, object]:
    """Everything a run computed, wall-clock seconds apart."""
    found: dict[str, object] = {}
    for name in ("trials", "random", "retrained", "metrics", "inherited", "stages"):
        rows = [json.loads(line) for line in (path / f"{name}.jsonl").read_text().splitlines()]
        found[name] = [{key: value for key, value in row.items() if key != "seconds"} for row in rows]
    for file in sorted(path.glob("*/*.safetensors")):
        found[file.name] = file.read_bytes()
    return found


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    path = tmp_path_factory.mktemp("toy") / "run"
    run(path, ToyTask())
    return path


def test_every_stage_leaves_its_files(finished):
    found = results(finished)
    assert [row["stage"] for row in found["stages"]] == [
        "supernet first",
        "supernet second",
        "search",
        "random search",
        "retrain",
    ]
    assert len(found["trials"]) == len(found["random"]) == 8
    order = [(row["name"], row["seed"]) for row in found["retrained"]]
    names = ["searched", "random 1", "random 2", "baseline"]
    assert order == [(name, seed) for seed in (0, 1) for name in names]
    archs = {json.dumps(row["arch"], sort_keys=True) for row in found["retrained"]}
    assert len(archs) == 4
    assert {row["stage"] for row in found["metrics"]} > {"supernet first", "retrain random 2 #1"}
    assert [row["step"] for row in found["metrics"] if row["stage"] == "retrain searched #0"] == list(range(12))
    assert set(load_file(finished / "retrained" / "searched-0.safetensors")) > {"head.weight"}


def test_the_best_trial_is_what_is_retrained(finished):
    found = results(finished)
    best = max(found["trials"], key=lambda row: (row["scores"]["accuracy"], -row["id"]))
    searched = found["retrained"][0]
    assert searched["arch"] == best["arch"] and searched["inherited"] == best["scores"]
    (result,) = (row["result"] for row in found["stages"] if row["stage"] == "search")
    assert result["best"] == best["id"] and result["arch"] == best["arch"]


def test_a_seed_decides_everything(finished, tmp_path):
    run(tmp_path / "same", ToyTask(), every=100)
    assert results(tmp_path / "same") == results(finished)
    run(tmp_path / "other", ToyTask(), seed=1)
    other, own = results(tmp_path / "other"), results(finished)
    assert all(other[name] != own[name] for name in own if name != "stages")


def dying(real: Any, at: int) -> Any:
    """`real`, which kills its process at the call of that number instead."""
    calls = count(1)

    def call(*arguments: Any, **named: Any) -> Any:
        if next(calls) == at:
            die()
        return real(*arguments, **named)

    return call


KILLS = [  # each in a process that goes on where the one before was killed
    (training, "train_phase", 2),  # before the second phase
    (RunFolder, "append_metrics", 2),  # in it, after a checkpoint
    (RunFolder, "append_trial", 1),
    (RunFolder, "append_trial", 11),  # in the random search
    (workers, "train_phase", 4),  # before the second phase of the second network
    (workers, "save_weights", 2),
    (workers._Curve, "add", 7),  # in the second phase of a network
    (RunFolder, "append_retrained", 2),
    (RunFolder, "finish", 1),  # of the last stage
]


def test_kills_leave_no_trace(finished, tmp_path):
    """Each right before another thing is written."""
    path = tmp_path / "run"
    for where, name, at in KILLS:

        def work(where=where, name=name, at=at):
            setattr(where, name, dying(getattr(where, name), at))  # in the child alone
            run(path, ToyTask(), resume=path.exists())

        assert status(forked(work)) == -9, (where, name)
    run(path, ToyTask(), resume=True)
    assert results(path) == results(finished)


def test_workers_compute_the_same(finished, tmp_path):
    task = ToyTask()
    (tmp_path / "weights.safetensors").write_bytes((finished / "weights" / "second.safetensors").read_bytes())
    make = partial(make_inherited, partial(ToyTask), tmp_path / "weights.safetensors", EVALUATION, "cpu")
    with RunFolder.resume(finished, {"seed": 0}, task.space) as folder:
        trials = folder.trials()
    with LocalPool(1) as pool:
        scores = pool.evaluator(make)([trial.arch for trial in trials], "full")
    assert [one.values for one in scores] == [trial.scores for trial in trials]


def test_a_retraining_that_diverges_keeps_nothing_from_the_others(finished, tmp_path, monkeypatch):
    real, calls = workers.train_phase, count(1)

    def diverging(*arguments: Any, **named: Any) -> Any:
        if next(calls) in (2, 3):  # the second phase of searched #0, the first of random 1 #0
            raise TrainingDiverged("the loss is nan at step 3")
        return real(*arguments, **named)

    monkeypatch.setattr(workers, "train_phase", diverging)
    run(tmp_path / "run", ToyTask())
    rows, whole = results(tmp_path / "run")["retrained"], results(finished)["retrained"]
    for row, sound in zip(rows, whole, strict=True):
        lost = (row["name"], row["seed"]) in (("searched", 0), ("random 1", 0))
        assert row == ({**sound, "val": {}, "test": {}, "error": "the loss is nan at step 3"} if lost else sound)
    assert not (tmp_path / "run" / "retrained" / "searched-0.safetensors").exists()
    assert winner_row(rows, ToyTask())["seed"] == 1
    html = write_report(tmp_path / "run").read_text()
    assert "Of 8 trainings alone, 2 failed: left out of every mean." in html
    assert html.count("the loss is nan at step 3") == 2


def test_no_winner_without_a_training_that_ended():
    rows = [
        {"kind": "searched", "seed": 0, "val": {}, "error": "the loss is nan"},
        {"kind": "random", "seed": 0, "val": {"q": 1}},
    ]
    with pytest.raises(UserError, match="no training to export: the loss is nan; start a new run"):
        winner_row(rows, Wanted("q", "max"))


def test_a_minimised_objective(tmp_path):
    run(tmp_path / "run", ToyTask(direction="min"))
    found = results(tmp_path / "run")
    (result,) = (row["result"] for row in found["stages"] if row["stage"] == "search")
    assert result["scores"]["loss"] == min(row["scores"]["loss"] for row in found["trials"])


def test_a_budget_that_few_architectures_keep(tmp_path):
    """One does, and it is not the baseline: it is found, and there are fewer rivals than asked for."""
    task = ToyTask(length=2)
    costs = {arch: task.costs(arch)["macs"] for arch in enumerate_all(task.space)}
    upper = min(costs.values())
    assert sum(cost <= upper for cost in costs.values()) == 1 and costs[task.baseline] > upper
    run(tmp_path / "run", task, upper=upper)
    found = results(tmp_path / "run")
    assert len(found["trials"]) == len(found["random"]) == 1
    assert [row["name"] for row in found["retrained"]] == ["searched", "baseline"] * 2
    assert found["stages"][-1]["result"]["random"] == "0 of 2, no more keep the budget"
    assert "0 of 2, no more keep the budget" in write_report(tmp_path / "run").read_text()


def test_a_budget_that_none_keeps_is_refused_before_anything_is_trained():
    task = ToyTask()
    with pytest.raises(UserError, match=r"the constraint 'macs <= 1' is kept by no architecture of the space: loosen it"):
        check_feasible(task, [Constraint("macs", upper=1)], 0)
    check_feasible(task, [], 0)


def trial(id: int, status: str = "ok", error: str = "", **scores: float) -> Trial:
    return Trial(id=id, arch=Arch({"a": id}), scores=scores, status=status, error=error)


class Wanted:
    def __init__(self, name: str, direction: str) -> None:
        self.objectives = (Objective(name, direction),)


def test_the_best_trial_is_the_earliest_of_equals():
    trials = [trial(0, q=0.1), trial(1, q=0.5), trial(2, q=0.5), trial(3, "failed", "no memory")]
    assert best_trial(trials, [Objective("q", "max")]).id == 1
    assert best_trial(trials, [Objective("q", "min")]).id == 0
    assert best_trial(trials[::-1], [Objective("q", "max")]).id == 1


def test_nothing_but_failures_says_why():
    with pytest.raises(UserError, match=r"all 2 candidates failed \(no memory\)"):
        best_trial([trial(0, "failed", "no memory"), trial(1, "failed", "other")], [Objective("q", "max")])
    with pytest.raises(UserError, match="none was evaluated"):
        best_trial([], [Objective("q", "max")])


def test_constraints_in_words():
    assert constraint_text([]) == ""
    rules = [Constraint("macs", upper=3e8), Constraint("params", upper=4_000_000), Constraint("macs", lower=1)]
    assert constraint_text(rules) == "macs <= 300,000,000 and params <= 4,000,000 and 1 <= macs"
    assert constraint_text([Constraint("ms", upper=2.5)]) == "ms <= 2.5"


def test_what_the_screen_shows_is_right_after_every_trial():
    objectives = (Objective("q"), Objective("macs", "min"))
    rng, standing, good = Random(0), Standing(objectives), []
    for id in range(200):
        if id % 7 == 0:
            standing.add(trial(id, "failed", "no memory"))
            continue
        good.append(trial(id, q=rng.randrange(20) / 20, macs=rng.randrange(20)))
        standing.add(good[-1])
        points = [[t.value(objective) for objective in objectives] for t in good]
        assert standing.best == best_trial(good, [Objective("q", "max")]).scores["q"]
        assert sorted(standing.front) == sorted(points[i] for i in fronts(points, objectives)[0])
    assert standing.failed == 29


def test_the_winner_has_the_best_validation_score_whatever_the_test_score():
    rows = [
        {"kind": "random", "seed": 0, "val": {"q": 0.9}, "test": {"q": 0.9}},
        {"kind": "searched", "seed": 0, "val": {"q": 0.4}, "test": {"q": 0.8}},
        {"kind": "searched", "seed": 1, "val": {"q": 0.5}, "test": {"q": 0.1}},
        {"kind": "searched", "seed": 2, "val": {"q": 0.5}, "test": {"q": 0.9}},
    ]
    assert winner_row(rows, Wanted("q", "max"))["seed"] == 1
    assert winner_row(rows, Wanted("q", "min"))["seed"] == 0


@pytest.mark.parametrize("paths", ["uniform", "fair", "sandwich", "baseline", "cost-bins"])
def test_path_policies(paths):
    task = ToyTask()
    costs = sorted(task.costs(arch)["params"] for arch in enumerate_all(task.space))
    bins = (float(costs[60]), float(costs[120]), float(costs[200])) if paths == "cost-bins" else ()
    settings = PathPhaseSettings(steps=1, batch=1, optim=OptimSettings(), paths=paths, bins=bins, bins_in="params")
    policy, again = path_policy(task, settings, 0, "p"), path_policy(task, settings, 0, "p")
    drawn = [policy(step) for step in range(12)]
    assert drawn == [again(step) for step in range(12)]
    if paths == "baseline":
        assert drawn == [[task.baseline]] * 12
        return
    assert drawn != [path_policy(task, settings, 0, "q")(step) for step in range(12)]
    match paths:
        case "uniform":
            assert all(len(step) == 1 for step in drawn) and len({step[0] for step in drawn}) > 8
        case "fair":
            assert all(sorted(arch["kernels.0"] for arch in step) == [0, 1, 2, 3] for step in drawn)
        case "sandwich":
            assert all(step[:2] == [extreme(task.space, largest=large) for large in (True, False)] for step in drawn)
        case "cost-bins":
            prices = [task.costs(step[0])["params"] for step in drawn]
            assert all(bins[0] <= price < bins[2] for price in prices)
            assert min(prices) < bins[1] <= max(prices)


def test_bins_have_to_fit_their_policy():
    for bins in ((), (1.0,), (2.0, 1.0)):
        with pytest.raises(UserError, match="bins"):
            PathPhaseSettings(steps=1, batch=1, optim=OptimSettings(), paths="cost-bins", bins=bins)
    with pytest.raises(UserError, match="give both or neither"):
        PathPhaseSettings(steps=1, batch=1, optim=OptimSettings(), bins=(1.0, 2.0))


def test_search_settings_are_checked_before_training():
    with pytest.raises(UserError, match=r"search\.trials=0: give 1 or more"):
        SearchSettings(trials=0)
    with pytest.raises(UserError, match=r"search\.evaluation\.images=0: give 1 or more"):
        InheritedSettings(images=0)
    with pytest.raises(UserError, match=r"search\.evaluation\.calibration_batches=-1: give 0 or more"):
        InheritedSettings(calibration_batches=-1)
    with pytest.raises(UserError, match=r"search\.engine\.rate is 1\.5"):
        TopK(rate=1.5)


def test_at_least_one_training_is_needed():
    with pytest.raises(UserError, match=r"retrain\.seeds=0: give 1 or more"):
        RetrainSettings(seeds=0)


def test_inherited_scores_do_not_depend_on_the_order():
    task = ToyTask()
    supernet = build_supernet(task, 3, "cpu")
    evaluate = Inherited(task=task, supernet=supernet, calibration_batches=2, calibration_batch=16, limit=64)
    archs = [arch for i, arch in enumerate(enumerate_all(task.space)) if i % 40 == 0]
    before = {name: tensor.clone() for name, tensor in supernet.module.state_dict().items()}
    forwards = [scores.values for scores in evaluate(archs, "full")]
    assert len({json.dumps(values) for values in forwards}) > 3
    assert [scores.values for scores in evaluate(archs[::-1], "full")] == forwards[::-1]
    assert [scores.values for scores in evaluate(archs[2:3], "full")] == forwards[2:3]
    assert all(torch.equal(tensor, before[name]) for name, tensor in supernet.module.state_dict().items())


def test_files_of_a_job_are_named_after_it():
    assert Job(name="random 2", kind="random", arch=Arch({}), seed=1).slug == "random-2-1"
