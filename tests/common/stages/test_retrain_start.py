"""Retraining from the supernet's weights, and the winner once more with other settings from weights of its own."""

import signal
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from common.errors import UserError
from common.run.checkpoint import save_weights
from common.run.progress import Progress
from common.space import Arch
from common.stages import retrain as module
from common.stages import workers
from common.stages.context import Context
from common.stages.retrain import Retrain, winner_row
from common.stages.settings import RetrainSettings
from common.stages.supernet import build_supernet
from common.streams import derive
from common.supernet import Supernet
from common.train.phase import train_phase
from tests.common.run.killing import dies, flip, forked, status
from tests.common.run.rows import rows
from tests.common.stages.toy import SEARCH, TunedToy, find, opened

WINNER = Arch({"kernels.0": 3, "kernels.1": 0})
WORDS = ("training.steps=1", "training.optim.lr=0.2")
RIVALS = ["searched", "random 1", "baseline"]
STAGE = Retrain(
    settings=RetrainSettings(random_archs=1, seeds=2),
    search=SEARCH,
    start=lambda context: context.weights("second"),
    otherwise={"with other settings": WORDS},
)


def trained_supernet(task: TunedToy) -> Supernet:
    """A supernet whose weights and statistics are those of no new one."""
    supernet = build_supernet(task, 3, "cpu")
    generator = torch.Generator().manual_seed(0)
    for tensor in supernet.module.state_dict().values():
        if tensor.is_floating_point():
            tensor.add_(torch.rand(tensor.shape, generator=generator) / 4)
    return supernet


def retrained(path: Path, task: TunedToy, stage: Retrain = STAGE) -> dict[str, Any]:
    """Runs the stage in a folder where a search has ended, or goes on with it."""
    with opened(path, task, save_every=2) as context:
        if not context.folder.done("search"):
            find(context, WINNER)
            begin(context, task)
        return dict(stage.run(context))


def begin(context: Context, task: TunedToy) -> None:
    file = context.weights("second")
    file.parent.mkdir(exist_ok=True)
    save_weights(file, trained_supernet(task).module)


def arch_of(task: TunedToy, row: Mapping[str, Any]) -> Arch:
    options = [str(option) for option in task.space.kernels[0].options]
    return Arch({path: options.index(label) for path, label in row["arch"].items()})


def alone(network: nn.Module, task: TunedToy, seed: int) -> dict[str, Tensor]:
    """The weights of a network after its training in seed number `seed` of the run."""
    for phase in task.phases("standalone"):
        train_phase(network, phase, seed=derive(0, "retrain", seed))
    return network.state_dict()


def weights(path: Path, name: str, seed: int) -> dict[str, Tensor]:
    return load_file(path / "retrained" / f"{name.replace(' ', '-')}-{seed}.safetensors")


def same(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> bool:
    return found.keys() == expected.keys() and all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize("steps", [0, 3])
def test_networks_begin_with_their_part_of_the_supernet(steps, tmp_path):
    """Without a step they are it; with some they are it after the training that any network has."""
    task = TunedToy(training=replace(TunedToy().training, steps=steps))
    retrained(tmp_path / "run", task)
    found = rows(tmp_path / "run", "retrained")
    assert [(row["name"], row["seed"]) for row in found] == [
        (name, seed) for seed in (0, 1) for name in (*RIVALS, "with other settings")
    ]
    supernet = trained_supernet(task)
    for row in found:
        if row["kind"] != "reference":
            seed, arch = derive(0, "retrain", row["seed"]), arch_of(task, row)
            part = supernet.extract(arch, lambda _, arch=arch, seed=seed: task.network(arch, seed))
            shared = {name: value.clone() for name, value in part.state_dict().items()}
            own = weights(tmp_path / "run", row["name"], row["seed"])
            assert row["start"] == "second" and "tuned" not in row
            assert same(own, shared) == (steps == 0)
            assert same(own, alone(part, task, row["seed"]))


def test_without_a_start_networks_begin_anew(tmp_path):
    task = TunedToy(training=replace(TunedToy().training, steps=0))
    retrained(tmp_path / "run", task, replace(STAGE, start=None))
    for row in rows(tmp_path / "run", "retrained"):
        new = task.network(arch_of(task, row), derive(0, "retrain", row["seed"]))
        assert "start" not in row
        if row["kind"] != "reference":
            assert same(weights(tmp_path / "run", row["name"], row["seed"]), new.state_dict())


def test_what_was_found_is_trained_once_more_with_other_settings_from_weights_of_its_own(tmp_path):
    task, path = TunedToy(), tmp_path / "run"
    result = retrained(path, task)
    assert result == {"networks": 3, "seeds": 2}
    found = [row for row in rows(path, "retrained") if row["kind"] == "reference"]
    assert [(row["name"], row["seed"], row["tuned"]) for row in found] == [
        ("with other settings", seed, list(WORDS)) for seed in (0, 1)
    ]
    tuned = task.variant(WORDS)
    for row in found:
        assert "start" not in row and arch_of(task, row) == WINNER and row["cost"] == task.costs(WINNER)
        new = tuned.network(WINNER, derive(0, "retrain", row["seed"]))
        assert same(weights(path, row["name"], row["seed"]), alone(new, tuned, row["seed"]))
    steps = [row["step"] for row in rows(path, "metrics") if row["stage"] == "retrain with other settings #0"]
    assert steps == [0, 1], "two phases of one step"


KILLS = [  # see `dies`
    (module, "retrain", 2),  # before the third network
    (workers._Curve, "add", 4),  # in a training that began with shared weights, after a checkpoint
    (workers, "save_weights", 3),
]


def test_cuts_leave_no_trace_and_nothing_is_trained_twice(tmp_path, monkeypatch):
    """With a row that another stage has left, which is no training of this one."""
    task, whole, path = TunedToy(), tmp_path / "whole", tmp_path / "run"
    retrained(whole, task)
    with opened(path, task) as context:
        find(context, WINNER)
        begin(context, task)
        context.folder.append_retrained({"name": "teacher", "kind": "reference", "seed": 0, "val": {}, "test": {}, "arch": {}})
    for where, name, at in KILLS:

        def work(where=where, name=name, at=at):
            dies(where, name, at)
            retrained(path, task)

        assert status(forked(work)) == -signal.SIGKILL, name
    before = len(rows(path, "retrained"))
    assert 1 < before < 9
    real, calls, bars, stage = module.retrain, [], [], Progress.stage
    monkeypatch.setattr(module, "retrain", lambda *arguments: calls.append(arguments) or real(*arguments))
    monkeypatch.setattr(Progress, "stage", lambda self, *at: bars.append(at) or stage(self, *at))
    retrained(path, task)
    assert len(calls) == 9 - before and bars == [("retrain", 8, before - 1)], "of this stage's eight trainings"
    assert rows(path, "retrained")[1:] == rows(whole, "retrained") and rows(path, "metrics") == rows(whole, "metrics")
    for row in rows(whole, "retrained"):
        assert same(weights(path, row["name"], row["seed"]), weights(whole, row["name"], row["seed"]))
    retrained(path, task)
    assert len(calls) == 9 - before


def test_weights_of_another_supernet_are_refused(tmp_path):
    with opened(tmp_path / "run", TunedToy()) as context:
        find(context, WINNER)
        context.weights("second").parent.mkdir()
        save_weights(context.weights("second"), TunedToy(length=3).supernet(0))
        with pytest.raises(UserError, match=r"second\.safetensors does not fit this Net"):
            STAGE.run(context)


def test_damaged_weights_of_the_supernet_start_no_network(tmp_path):
    with opened(tmp_path / "run", TunedToy()) as context:
        find(context, WINNER)
        context.weights("second").parent.mkdir()
        save_weights(context.weights("second"), TunedToy().supernet(0))
        flip(context.weights("second"), -1)
        with pytest.raises(UserError, match=r"second\.safetensors is damaged"):
            STAGE.run(context)


def test_a_reference_has_a_name_and_scores_of_its_own(tmp_path):
    stage = replace(STAGE, inherited=lambda context, archs: {arch: {"accuracy": 0.5} for arch in archs})
    retrained(tmp_path / "run", TunedToy(), stage)
    kept = {row["kind"]: row["inherited"] for row in rows(tmp_path / "run", "retrained")}
    assert kept == {kind: {"accuracy": 0.5} for kind in ("searched", "random", "baseline")} | {"reference": {}}
    with pytest.raises(ValueError, match="another network has that name"):
        retrained(tmp_path / "taken", TunedToy(), replace(STAGE, otherwise={"baseline": WORDS}))


def test_a_reference_is_never_the_winner():
    kinds = {"reference": 0.9, "searched": 0.4, "baseline": 0.8}
    found = [{"kind": kind, "seed": 0, "val": {"accuracy": score}} for kind, score in kinds.items()]
    assert winner_row(found, TunedToy())["kind"] == "searched"
