"""Learning from a teacher with real weights: the loss, what it changes, and what is refused."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from binary import stages
from binary.groups import recipes as groups
from binary.groups.system import SYSTEM as GROUPS
from binary.layers.activations import Sign
from binary.layers.convolution import is_binary
from binary.phases import Distil, distributional_loss, teacher_phase
from binary.settings import DistilSettings
from binary.stages import TrainTeacher
from binary.task import BinaryTask
from binary.width import recipes as width
from binary.width.system import SYSTEM as WIDTH
from classification.phases import Classify
from common.errors import UserError
from common.evaluate.settings import PredictorSettings, ProxySettings
from common.overrides import from_plain, plain
from common.run.checkpoint import save_weights
from common.stages.settings import PhaseSettings, StopSettings, TuneSettings
from common.train.optim import OptimSettings
from common.train.step import Step
from tests.common.run.killing import flip

SMOKES: list[Any] = [(WIDTH, width.smoke), (GROUPS, groups.smoke)]
IDS = ["width", "groups"]
TEACHER = PhaseSettings(steps=2, batch=8, optim=OptimSettings(name="adam", lr=0.01))


def made(tmp_path: Path, system: Any = WIDTH, smoke: Any = width.smoke, weight: float = 0.25, **changes: Any) -> BinaryTask:
    """A task whose networks learn from a teacher with some weights."""
    settings = replace(smoke(), distil=DistilSettings(weight=weight, teacher=TEACHER), **changes)
    task = system.make(settings, tmp_path / "weights")
    task.weights.mkdir()
    save_weights(task.teacher_file, task.untrained_teacher.build(3))
    return task


def loss_of(phase: Distil, network: nn.Module) -> dict[str, torch.Tensor]:
    return dict(phase.loss(network, phase.batch_at(0, 0), Step(number=0, progress=0.0, path=None, index=0)))


def test_the_distributional_loss_is_that_of_the_paper():
    scores, teacher = [[1.0, -0.5, 0.25], [0.0, 2.0, -1.0]], [[0.5, 0.5, -2.0], [3.0, 0.0, 1.0]]

    def softmax(row: list[float]) -> list[float]:
        total = sum(math.exp(value) for value in row)
        return [math.exp(value) / total for value in row]

    pairs = [zip(softmax(r), softmax(b), strict=True) for r, b in zip(teacher, scores, strict=True)]
    by_hand = -sum(real * math.log(binary / real) for pair in pairs for real, binary in pair) / len(scores)
    assert float(distributional_loss(torch.tensor(scores), torch.tensor(teacher))) == pytest.approx(by_hand, rel=1e-6)
    assert float(distributional_loss(torch.tensor(scores), torch.tensor(scores))) == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize(
    ("weight", "named"), [(0.0, {"class_loss"}), (0.25, {"class_loss", "distil_loss"}), (1.0, {"distil_loss"})]
)
def test_the_loss_is_weighted(tmp_path, weight, named):
    task = made(tmp_path, weight=weight)
    phase = task.phases("standalone")[-1]
    assert isinstance(phase, Distil)
    network = task.network(task.baseline, 0)
    images, labels = phase.batch_at(0, 0)
    found = loss_of(phase, network)
    assert found.keys() == named | {"accuracy"}
    scores, theirs = network(images), task.teacher(torch.device("cpu"))(images)
    if "class_loss" in named:
        torch.testing.assert_close(found["class_loss"], (1 - weight) * nn.functional.cross_entropy(scores, labels))
    if "distil_loss" in named:
        torch.testing.assert_close(found["distil_loss"], weight * distributional_loss(scores, theirs))


@pytest.mark.parametrize(("system", "smoke"), SMOKES, ids=IDS)
def test_the_student_alone_learns(tmp_path, system, smoke):
    task = made(tmp_path, system, smoke, activations=replace(smoke().activations, steps=1))
    teacher = task.teacher(torch.device("cpu"))
    before = {name: tensor.clone() for name, tensor in teacher.state_dict().items()}
    for kind in ("standalone", "supernet"):
        for phase in task.phases(kind):
            assert isinstance(phase, Distil) and phase.weight == 0.25
            network = task.network(task.baseline, 0)
            model = phase.wrap(network, 0)
            loss_of(phase, model)["distil_loss"].backward()
            assert all(parameter.grad is not None for parameter in network.parameters())
            assert not {id(tensor) for tensor in teacher.parameters()} & {id(tensor) for tensor in model.parameters()}
    assert not teacher.training and not any(tensor.requires_grad for tensor in teacher.parameters())
    assert all(parameter.grad is None for parameter in teacher.parameters())
    assert all(torch.equal(before[name], tensor) for name, tensor in teacher.state_dict().items()), "nor its statistics"


@pytest.mark.parametrize(("system", "smoke"), SMOKES, ids=IDS)
def test_the_teacher_is_the_baseline_with_real_weights_and_sees_training_images_alone(tmp_path, system, smoke):
    task = made(tmp_path, system, smoke)
    network = task.untrained_teacher.build(0)
    assert not any(is_binary(module) or isinstance(module, Sign) for module in network.modules())
    cost, baseline = task.untrained_teacher.cost, task.costs(task.baseline)
    assert (cost["params"], cost["bops"], cost["macs"]) == (
        *(baseline["params"], 0),
        baseline["macs"] + baseline["bops"],
    )
    phase = teacher_phase(task)
    assert phase.split is task.data.train and type(phase) is Classify and phase.name == "teacher"
    assert [type(stage) for stage in stages.stages(task)].count(TrainTeacher) == 1


@pytest.mark.parametrize(("system", "smoke"), SMOKES, ids=IDS)
def test_without_a_weight_there_is_no_teacher(system, smoke):
    task = system.make(smoke(), Path("none"))
    assert not any(isinstance(stage, TrainTeacher) for stage in stages.stages(task))
    (phase,) = task.phases("standalone")
    assert loss_of(phase, task.network(task.baseline, 0)).keys() == {"class_loss", "accuracy"}


def test_settings_of_runs_before_teachers_are_read():
    settings = width.smoke()
    assert from_plain(type(settings), {name: value for name, value in plain(settings).items() if name != "distil"}) == settings


@pytest.mark.parametrize("recipe", [*width.RECIPES.values(), *groups.RECIPES.values()])
def test_a_weight_is_all_that_a_recipe_needs(recipe):
    settings = recipe()
    assert settings.distil.weight == 0
    assert replace(settings, distil=replace(settings.distil, weight=1.0)).distil.teacher.steps > 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"weight": 1.5}, r"distil\.weight=1\.5: give a share of the loss from 0 \(no teacher\) to 1"),
        ({"weight": -0.1}, r"distil\.weight=-0\.1: give a share"),
        ({"weight": math.nan}, r"distil\.weight=nan: give a share"),
        (
            {"weight": 0.5, "teacher": replace(TEACHER, steps=0)},
            r"distil\.teacher\.steps=0; give 1 or more steps, or distil\.weight=0",
        ),
        ({"teacher": replace(TEACHER, stop=StopSettings())}, r"distil\.teacher\.stop: the teacher sees no validation images"),
    ],
)
def test_values_out_of_range_are_refused(change, said):
    with pytest.raises(UserError, match=said):
        DistilSettings(**change)


def test_a_batch_larger_than_the_training_split_is_refused():
    settings = replace(width.smoke(), distil=DistilSettings(weight=1.0, teacher=replace(TEACHER, batch=5000)))
    with pytest.raises(UserError, match=r"distil\.teacher\.batch=5000: train has 1078 images"):
        WIDTH.make(settings, Path("none"))
    WIDTH.make(replace(settings, distil=replace(settings.distil, weight=0.0)), Path("none"))


def proxied(*overrides: str) -> dict[str, Any]:
    return {"search": replace(width.smoke().search, evaluation=ProxySettings(overrides=overrides))}


def predicted(*overrides: str) -> dict[str, Any]:
    return {"search": replace(width.smoke().search, evaluation=PredictorSettings(base=ProxySettings(overrides=overrides)))}


@pytest.mark.parametrize(
    ("weight", "changes", "said"),
    [
        (
            0.0,
            proxied("distil.weight=1"),
            r"search\.evaluation\.overrides: distil\.weight=1 needs a teacher, and none is trained",
        ),
        (0.0, {"tune": TuneSettings(grid={"distil.weight": (0.0, 1.0)})}, r"tune\.grid: distil\.weight=1\.0 needs a teacher"),
        (0.5, proxied("data.size=8"), r"data\.size=8 changes data, and a run has one teacher"),
        (0.5, predicted("space.base=[4,4,8,8]"), r"search\.evaluation\.overrides: space\.base=\[4,4,8,8\] changes space"),
        (0.5, {"tune": TuneSettings(grid={"distil.teacher.steps": (3,)})}, r"tune\.grid: .*=3 changes distil\.teacher"),
    ],
)
def test_networks_that_need_another_teacher_are_refused(tmp_path, weight, changes, said):
    with pytest.raises(UserError, match=said):
        stages.stages(made(tmp_path, weight=weight, **changes))


@pytest.mark.parametrize(
    "changes",
    [
        proxied("data.size=8", "distil.weight=0"),
        {"tune": TuneSettings(grid={"distil.weight": (0.0, 1.0), "train.optim.lr": (0.1,)})},
    ],
)
def test_networks_may_go_without_the_teacher_or_follow_it_more(tmp_path, changes):
    task = made(tmp_path, weight=0.5, **changes)
    stages.stages(task)
    assert task.variant(["distil.weight=0"]).phases("standalone")[-1].weight == 0


def test_a_teacher_that_is_damaged_or_missing_is_refused(tmp_path):
    task = made(tmp_path)
    flip(task.teacher_file, -1)
    with pytest.raises(UserError, match=r"teacher\.safetensors is damaged"):
        task.teacher(torch.device("cpu"))
    task.teacher_file.unlink()
    with pytest.raises(UserError, match=r"teacher\.safetensors"):
        task.teacher(torch.device("cpu"))
