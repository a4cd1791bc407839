"""Law 2 of docs/architecture.md for every method of every system listed: a training that is stopped goes on to the same end.

Runs that are killed as a whole are in the tests of the tasks and in `make soak`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from binary.cells.spaces import SpaceSettings as CellSettings
from classification.darts.spaces import SpaceSettings
from common.differentiable.search import RelaxedSearch
from common.engines import Controller, Gradient
from common.evaluate.pool import LocalPool
from common.run.checkpoint import Checkpoint
from common.run.folder import RunFolder
from common.run.progress import Progress
from common.stages.context import Context
from common.stages.controlled import TrainControlled
from common.stages.search import Search
from common.stages.settings import PhaseSettings, TrainSettings
from common.stages.standard import standard_stages
from common.stages.supernet import TrainSupernet, build_supernet, path_policy
from common.system import System
from common.system_task import SystemTask
from common.train.optim import ArchSettings
from common.train.phase import train_phase
from tests.contracts.cases import SYSTEMS

METHODS = [(task, system, method) for task, system in SYSTEMS for method in system.methods]
STEPS = 3
KINDS = ("supernet", "standalone")


class Stopped(BaseException):
    """As Ctrl-C: no part of the product catches it."""


@pytest.fixture(scope="module", params=METHODS, ids=[f"{task}-{method.name}" for task, _, method in METHODS])
def given(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SystemTask, list[Any]]]:
    """The task of a method in a few steps, after what comes before its training, and its stages."""
    system: System
    _, system, method = request.param
    out = tmp_path_factory.mktemp("before")
    task = system.make(shortened(method.recipes["smoke"]()), out / "weights")
    stages = list((method.stages or system.stages or standard_stages)(task))
    with RunFolder.create(out / "run", {}, task.space) as folder:
        for stage in stages:
            if isinstance(stage, TrainSupernet | TrainControlled | RelaxedSearch | Search):
                break
            stage.run(context_of(task, folder))  # a teacher, say
    yield task, stages


def shortened(settings: Any) -> Any:
    """Settings of few data and small cells in which every training has a few steps of a few items, and none stops early."""
    changes = {}
    for field in fields(settings):
        value = getattr(settings, field.name)
        if is_dataclass(value) and field.init:
            changes[field.name] = shortened(value)
        elif field.name in ("train", "val", "test") and isinstance(value, int):
            changes[field.name] = min(value, 40)
    if isinstance(settings, SpaceSettings):  # one node, which chooses among its inputs: a checkpoint holds the same
        changes |= {"nodes": 1} if settings.gated else {"nodes": 1, "inputs": min(settings.inputs, 1)}
    if isinstance(settings, CellSettings):  # and two operations, of which a search by abandoning has one left after two steps
        changes |= {"nodes": 1, "operations": (settings.names[0], settings.names[-1])}
    if isinstance(settings, ArchSettings):
        changes["every"] = 1
    if isinstance(settings, TrainSettings):
        changes |= {"steps": STEPS, "stop": None}
    if isinstance(settings, PhaseSettings):
        changes["batch"] = min(settings.batch, 4)
    return replace(settings, **changes) if changes else settings


def context_of(task: SystemTask, folder: RunFolder) -> Context:
    return Context(
        task=task,
        factory=lambda: task,
        folder=folder,
        progress=Progress(quiet=True),
        pool=LocalPool(0),
        seed=5,
        device="cpu",
        constraints=[],
        save_every=1,
    )


def stops(step: int, values: Mapping[str, float]) -> None:
    if step == 1:
        raise Stopped


def trained(task: SystemTask, kind: Any, index: int, **how: Any) -> tuple[nn.Module, dict[str, float]]:
    """The network after a phase, begun anew or from a checkpoint, and what the training tells at its end."""
    phase = task.phases(kind)[index]
    if kind == "standalone":
        network = task.network(task.baseline, 5)
        return network, train_phase(network, phase, seed=5, save_every=1, **how)
    supernet = build_supernet(task, 5, "cpu")
    policy = path_policy(task, phase.settings, 5, phase.name)
    return supernet.module, train_phase(supernet.module, phase, seed=5, supernet=supernet, policy=policy, save_every=1, **how)


@pytest.mark.parametrize("kind", KINDS)
def test_law_2_a_phase_that_is_stopped_goes_on_to_the_same_weights(given, kind, tmp_path):
    task, stages = given
    if kind == "supernet" and any(isinstance(stage, RelaxedSearch | TrainControlled) for stage in stages):
        return  # this method trains its supernet in the search
    for index in range(len(task.phases(kind))):
        whole, last = trained(task, kind, index)
        checkpoint = Checkpoint(tmp_path / f"{kind}{index}")
        with pytest.raises(Stopped):
            trained(task, kind, index, checkpoint=checkpoint, observe=stops)
        saved = checkpoint.load()
        assert saved is not None and 0 < saved.step < STEPS
        resumed, told = trained(task, kind, index, checkpoint=checkpoint)
        assert told == last
        same(whole, resumed)


def same(one: nn.Module, other: nn.Module) -> None:
    mine, theirs = one.state_dict(), other.state_dict()
    assert mine.keys() == theirs.keys()
    assert [name for name in mine if not torch.equal(mine[name], theirs[name])] == []


def test_law_2_what_learns_in_turn_with_weights_goes_on_to_the_same_end(given, tmp_path, monkeypatch):
    """A relaxed architecture, or a policy."""
    task, stages = given
    searches = [stage for stage in stages if isinstance(stage, RelaxedSearch | TrainControlled)]
    assert bool(searches) == isinstance(task.settings.search.engine, Gradient | Controller)

    def run(path: Path, opened: Any) -> dict[str, bytes]:
        with opened(path, {}, task.space) as folder:
            result = searches[0].run(context_of(task, folder))
        names = [name for name in ("strengths.json", "snapshots.json", "metrics.jsonl") if (path / name).exists()]
        files = {
            name: (path / name).read_bytes() for name in (*names, *(f"weights/{file.name}" for file in path.glob("weights/*")))
        }
        return {"result": repr(result).encode(), **files}

    if not searches:
        return
    whole = run(tmp_path / "whole", RunFolder.create)
    real = RunFolder.append_metrics

    def stopping(self: RunFolder, stage: str, step: int, values: Mapping[str, float]) -> None:
        stops(step, values)
        real(self, stage, step, values)

    with monkeypatch.context() as patch, pytest.raises(Stopped):
        patch.setattr(RunFolder, "append_metrics", stopping)
        run(tmp_path / "stopped", RunFolder.create)
    assert run(tmp_path / "stopped", RunFolder.resume) == whole
