"""Own networks from a build function to a run folder: with a supernet, from scratch, in workers, killed and resumed."""

import json
import signal
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from common import NetworkSettings, OneOf, Run, ScratchSettings, SearchSettings, UserError
from common.errors import NotExported
from common.export import Parity
from common.own.facts import OwnFacts
from common.own.network import OwnNetwork
from common.own.search import digest, named
from common.run.folder import RunFolder
from common.supernet import opened
from tests.common.own import problem
from tests.common.own.problem import Net, rows, searched, weights
from tests.common.run.killing import dies, forked, status

pytestmark = pytest.mark.slow

EXPORT = OwnFacts.export
STAGES = ["supernet training", "search", "random search", "retrain", "export"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return searched(tmp_path_factory.mktemp("own") / "run")


@pytest.fixture(autouse=True)
def quick_export(run, monkeypatch):
    """The module's run is exported; the others leave the file out, which takes longer than all else."""
    monkeypatch.setattr(OwnFacts, "export", lambda self, network, folder: Parity(max_abs_diff=0.0, scale=1.0, dynamic_batch=True))


def test_a_run_has_every_stage_and_the_files_of_any_other_run(run):
    assert run.finished and [stage.name for stage in run.stages] == STAGES
    names = {path.name for path in run.path.iterdir()}
    assert names >= {"report.html", "best", "trials.jsonl", "random.jsonl", "retrained.jsonl", "config.json", "space.json"}
    assert {path.name for path in (run.path / "best").iterdir()} >= {"arch.json", "model.safetensors", "metrics.json"}
    assert len(run.trials()) == len(run.trials("random")) == 6
    assert {row.name for row in run.retrained()} == {"searched", "random 1", "baseline"} and len(run.retrained()) == 6


def test_scores_are_those_of_the_users_functions(run):
    network = run.network("random 1", 1)
    row = next(row for row in run.retrained() if (row.name, row.seed) == ("random 1", "1"))
    with torch.no_grad():
        assert problem.evaluate(network) == row.val and problem.tested(network) == row.test
    assert row.val["accuracy"] != row.test["accuracy"] or row.val["loss"] != row.test["loss"]


def test_costs_are_those_of_one_item(run):
    for row in run.retrained():
        width, kernel = int(row.arch["width"]), int(row.arch["kernel"])
        assert row.cost == {
            "params": width * (kernel**2 + 1) + 2 * width + 2 * width + 2,
            "macs": 16 * width * kernel**2 + 2 * width,
        }


def test_the_network_is_ordinary_torch_with_the_best_weights(run):
    network = run.network()
    assert {type(part).__module__.split(".")[0] for part in network.modules()} <= {"torch", "tests"}
    saved = load_file(run.path / "best" / "model.safetensors")
    assert all(torch.equal(saved[name], value) for name, value in network.state_dict().items()) and not network.training


def test_the_config_names_functions_and_inputs_and_the_report_says_what_was_left_out(run, tmp_path):
    data = run.config["data"]
    assert data["inputs"] == ["float32 (1, 1, 4, 4)"] and data["functions"]["build"].startswith("build ")
    assert run.config["settings"]["search"]["trials"] == 6
    assert "first option" in " ".join(run.config["notes"]) and "flatters" not in " ".join(run.config["notes"])
    assert "No baseline was given" in run.report().read_text()


@pytest.mark.parametrize(
    ("owner", "name", "at"),
    [
        (OwnNetwork, "loss", 7),  # in the supernet's training, between two checkpoints; the checks took two steps
        (RunFolder, "append_trial", 2),
        (RunFolder, "append_trial", 8),
        (RunFolder, "append_retrained", 3),
        (OwnNetwork, "loss", 150),
    ],
)
def test_kills_leave_no_trace(run, tmp_path, owner, name, at):
    path = tmp_path / "run"

    def work() -> None:
        dies(owner, name, at)
        searched(path)

    assert status(forked(work)) == -signal.SIGKILL
    assert not Run(path).finished
    resumed = searched(path, resume=True)
    assert rows(resumed) == rows(run) and weights(resumed) == weights(run)


def test_resume_of_a_finished_run_does_nothing_and_of_none_begins_one(run, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in run.path.rglob("*") if path.suffix in (".jsonl", ".safetensors")}
    again = searched(run.path, resume=True)
    assert {path: path.stat().st_mtime_ns for path in before} == before and rows(again) == rows(run)
    begun = searched(tmp_path / "new", resume=True, overrides=[*problem.OVERRIDES, "search.trials=1", "retrain.seeds=1"])
    assert begun.finished


def test_workers_change_nothing(run, tmp_path):
    spread = searched(tmp_path / "run", workers=2)
    assert rows(spread) == rows(run) and weights(spread) == weights(run)


@pytest.mark.parametrize("build", [problem.build, problem.plain])
def test_without_a_train_step_evaluate_trains_and_build_may_know_fixed_values_alone(tmp_path, build):
    settings = NetworkSettings(
        search=SearchSettings(evaluation=ScratchSettings(), trials=4), retrain=problem.SETTINGS.retrain, seed=3
    )
    change = {"build": build, "evaluate": problem.train_and_score, "train_step": None, "test": None}
    run = searched(tmp_path / "one", **change, settings=settings, overrides=())
    assert [stage.name for stage in run.stages] == STAGES[1:]
    assert all(row.ok for row in run.trials()) and "flatters" in " ".join(run.config["notes"])
    for row in run.retrained():
        assert row.val == row.test and set(row.val) == {"accuracy"}
    network = run.network("baseline", 1)
    with torch.no_grad():
        accuracy = problem.scores(network, 48, 72)["accuracy"]
    assert accuracy == next(r for r in run.retrained() if (r.name, r.seed) == ("baseline", "1")).val["accuracy"]
    again = searched(tmp_path / "two", **change, settings=settings, overrides=())
    assert rows(again) == rows(run) and weights(again) == weights(run)
    seeds = {row.seed: row.val["accuracy"] for row in run.retrained() if row.name == "searched"}
    first, second = (run.network("searched", int(seed)).state_dict() for seed in seeds)
    assert not torch.equal(next(iter(first.values())), next(iter(second.values())))


def test_another_engine_a_budget_and_a_reward_are_settings(tmp_path):
    settings = ["search.engine=aging", "search.engine.population=3", "search.engine.tournament=2", "search.trials=4"]
    run = searched(
        tmp_path / "run",
        settings=replace(problem.SETTINGS, budget={"macs": 300}),
        overrides=[*settings, "search.reward=accuracy / macs", "retrain.seeds=1"],
    )
    assert run.config["reward"] == "accuracy / macs"
    assert all(row.cost["macs"] <= 300 for row in (*run.trials(), *run.trials("random"))) and run.trials()
    assert all(row.cost["macs"] <= 300 for row in run.retrained() if row.kind != "baseline")


def test_scratch_candidates_are_trained_by_the_train_step(tmp_path):
    run = searched(tmp_path / "run", overrides=["search.evaluation=scratch", "search.trials=3", "retrain.seeds=1"])
    assert [stage.name for stage in run.stages] == STAGES[1:] and all(row.ok for row in run.trials())


def test_a_candidate_without_a_finite_score_fails_alone(tmp_path):
    def odd(network: nn.Module) -> float:
        return float("nan") if network[0].out_channels == 2 else problem.train_and_score(network)

    settings = NetworkSettings(search=SearchSettings(evaluation=ScratchSettings(), trials=6), retrain=problem.SETTINGS.retrain)
    run = searched(
        tmp_path / "run", build=problem.plain, evaluate=odd, train_step=None, test=None, settings=settings, overrides=()
    )
    failed = [row for row in run.trials() if not row.ok]
    assert failed and all("accuracy is nan; a score must be a finite number" in row.error for row in failed)
    assert all(row.error for row in run.retrained() if row.name == "baseline") and run.best().val["accuracy"] >= 0


def test_the_same_names_with_other_functions_are_another_run(tmp_path):
    """A session defines a function anew under its old name: nothing of the earlier run may be taken for it."""

    def constant(value: float):
        def evaluate(network: nn.Module) -> float:
            return value

        return evaluate

    found = [
        searched(tmp_path / str(value), evaluate=constant(value), test=None, overrides=[*problem.OVERRIDES, "retrain.seeds=1"])
        for value in (0.25, 0.75)
    ]
    assert [run.best().val for run in found] == [{"accuracy": 0.25}, {"accuracy": 0.75}]


def test_resume_with_a_changed_function_is_refused_by_its_name(run):
    def evaluate(network: nn.Module) -> dict[str, float]:
        return problem.scores(network, 40, 64)

    with pytest.raises(UserError, match=r"data\.functions\.evaluate was .*give the same ones to resume"):
        searched(run.path, evaluate=evaluate, resume=True)
    with pytest.raises(UserError, match="another space"):
        searched(run.path, space=Net(OneOf(2, 3, 5), OneOf(1, 3)), resume=True)
    with pytest.raises(UserError, match="holds a run; give resume=True to go on with it, or another out"):
        searched(run.path)
    assert json.loads((run.path / "config.json").read_text()) == run.config


def test_pretrained_weights_begin_the_supernet_and_what_is_retrained(tmp_path):
    """With no step of training, networks are the leading parts of the weights given."""
    widest = problem.build(opened(Net(OneOf(2, 3, 4), OneOf(1, 3))))
    weights = {name: torch.full_like(value, 0.25) for name, value in widest.state_dict().items()}
    settings = replace(
        problem.SETTINGS,
        retrain_from="supernet",
        supernet=replace(problem.SETTINGS.supernet, optim=replace(problem.ADAM, lr=1e-30)),
        train=replace(problem.SETTINGS.train, optim=replace(problem.ADAM, lr=1e-30)),
    )
    run = searched(tmp_path / "run", weights=weights, settings=settings)
    assert all(row.start == "training" for row in run.retrained())
    for name, value in run.network("random 1", 1).named_parameters():
        assert (value == 0.25).all(), name
    with pytest.raises(UserError, match=r"data\.weights was"):
        searched(run.path, weights={**weights, "6.bias": weights["6.bias"] + 1}, settings=settings, resume=True)
    anew = searched(tmp_path / "anew", weights=weights, settings=replace(settings, retrain_from="anew"))
    assert not any((value == 0.25).all() for name, value in anew.network().named_parameters() if name.startswith("0."))


def test_a_network_that_torch_cannot_export_has_a_report_with_a_note(tmp_path, monkeypatch):
    def unwritable(self: OwnFacts, network: nn.Module, folder: Path) -> Parity:
        raise NotExported("torch cannot write this network as ONNX (dynamic shapes); its weights are kept")

    monkeypatch.setattr(OwnFacts, "export", unwritable)
    run = searched(tmp_path / "run", overrides=[*problem.OVERRIDES, "retrain.seeds=1"])
    assert run.finished and "dynamic shapes" in run.stages[-1].result["note"] and "dynamic shapes" in run.report().read_text()


def test_outputs_of_another_kind_than_tensors_are_no_error_of_the_run(tmp_path):
    class Named(nn.Module):
        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"scores": x.mean((2, 3))}

    with pytest.raises(NotExported, match="a network that returns dict cannot be exported"):
        EXPORT(OwnFacts(inputs=(problem.POINTS[:1],)), Named(), tmp_path)


def test_a_partial_is_known_by_its_function_and_its_plain_arguments():
    def given(first, last, rows):
        return partial(problem.scores, first=first, last=last, rows=rows)

    rows = torch.zeros(3)
    assert named(given(1, 2, rows)) == "scores"
    assert digest(given(1, 2, rows)) == digest(given(1, 2, torch.ones(3))) != digest(given(1, 3, rows))
    assert digest(partial(problem.scores)) == digest(problem.scores) != digest(problem.evaluate) != ""


def test_a_refused_run_leaves_nothing_for_the_next_one_of_the_same_names(tmp_path, monkeypatch):
    """A session defines a function anew after a refusal, under its old name: the next run takes the new one."""

    def named(value: float):
        def evaluate(network: nn.Module) -> float:
            return value

        evaluate.__module__, evaluate.__qualname__ = problem.__name__, "evaluate"
        monkeypatch.setattr(problem, "evaluate", evaluate)
        return evaluate

    overrides = [*problem.OVERRIDES, "retrain.seeds=1"]
    with pytest.raises(UserError, match="no training of a relaxed supernet"):
        searched(tmp_path / "run", evaluate=named(0.25), test=None, overrides=["search.engine=gradient"])
    with pytest.raises(UserError, match="is not empty and holds no run"):
        (tmp_path / "full").mkdir()
        (tmp_path / "full" / "notes.txt").touch()
        searched(tmp_path / "full", evaluate=named(0.25), test=None, overrides=overrides)
    (tmp_path / "full" / "notes.txt").unlink()
    run = searched(tmp_path / "full", evaluate=named(0.75), test=None, overrides=overrides)
    assert run.best().val == {"accuracy": 0.75}
