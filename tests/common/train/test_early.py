"""Early stopping: when training ends, with which weights, and that an interruption changes neither."""

import signal
from collections import Counter
from functools import partial
from itertools import count
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from common.errors import UserError
from common.evaluate.scratch import FromScratch
from common.run.checkpoint import Checkpoint
from common.stages.settings import PathPhaseSettings, PhaseSettings, StopSettings
from common.stages.workers import Job, retrain
from common.train.optim import OptimSettings
from common.train.phase import train_phase
from tests.common.run.killing import die, forked, status
from tests.common.stages.paths_toy import ToyPhase, ToyTask, batch

STEPS = 12


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 3, 8), nn.BatchNorm2d(3), nn.Flatten())


def phase(stop: StopSettings | None, steps: int = STEPS, lr: float = 0.1) -> ToyPhase:
    return ToyPhase(name="p", settings=PhaseSettings(steps=steps, batch=4, optim=OptimSettings(lr=lr), stop=stop), dropout=0.2)


def bits(module: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return all(torch.equal(a[name], b[name]) for name in {**a, **b})


def trained(scores: list[float], **stop: Any) -> tuple[dict[str, Tensor], list[dict[str, Tensor]], int]:
    """The state at the end, after each step, and the number of looks, of a training whose looks give `scores`."""
    net, after, given = network(), [], iter(scores)
    metric = stop.setdefault("metric", "accuracy")
    looks = count()

    def measure() -> dict[str, float]:
        next(looks)
        return {"other": 0.0, metric: next(given)}

    train_phase(net, phase(StopSettings(**stop)), seed=0, measure=measure, observe=lambda step, _: after.append(bits(net)))
    return bits(net), after, next(looks)


def test_it_ends_after_steps_without_a_better_score_with_the_best_weights():
    end, after, looks = trained([0.1, 0.5, 0.4, 0.5, 0.3, 0.9], patience=3)  # as good is not better
    assert (len(after), looks) == (5, 5)
    assert same(end, after[1]) and not same(end, after[4])
    assert int(end["1.num_batches_tracked"]) == 2, "statistics are those of the best step as well"


def test_a_better_score_starts_the_patience_anew():
    end, after, _ = trained([0.1, 0.0, 0.0, 0.2, 0.1, 0.1, 0.1, 0.9], patience=3)
    assert len(after) == 7 and same(end, after[3])


def test_of_losses_the_lowest_is_best():
    end, after, _ = trained([0.9, 0.5, 0.7, 0.6, 0.1], patience=2, metric="val_loss")
    assert len(after) == 4 and same(end, after[1])


def test_training_to_the_last_step_ends_with_the_best_weights_too():
    scores = [0.1, 0.8, *[0.2] * (STEPS - 2)]
    end, after, _ = trained(scores, patience=100)
    assert len(after) == STEPS and same(end, after[1])


@pytest.mark.parametrize(
    ("scores", "steps", "best"),
    [
        ([nan, 0.2, nan, nan, nan, 0.9], 5, 1),  # a nan comes first
        ([0.3, nan, 0.4, nan, 0.1, nan, 0.9], 6, 2),
        ([nan, nan, nan, 0.9], 3, 2),  # none but nan: what was trained last is kept
        ([nan, -inf, nan, nan, nan, 0.9], 5, 1),
    ],
)
@pytest.mark.parametrize("metric", ["accuracy", "loss"])
def test_a_nan_is_never_the_best(scores: list[float], steps: int, best: int, metric: str):
    signed = scores if metric == "accuracy" else [-score for score in scores]
    end, after, _ = trained(signed, patience=3, metric=metric)
    assert len(after) == steps and same(end, after[best])


def test_a_look_every_few_steps():
    end, after, looks = trained([0.1, 0.5, 0.4, 0.4, 0.9], every=2, patience=3)  # after steps 1, 3, 5, 7
    assert (len(after), looks) == (8, 4)
    assert same(end, after[3])


def test_looks_are_in_eval_mode_without_gradients_and_change_nothing_of_the_training():
    modes = []
    net, plain = network(), network()

    def measure() -> dict[str, float]:
        images, _ = batch(0, "val", items=4)
        modes.append((net.training, net[1].training, net(images).requires_grad))
        torch.rand(7)  # what is drawn does not reach the next step either
        return {"accuracy": float(len(modes))}  # ever better

    train_phase(net, phase(StopSettings(metric="accuracy", patience=2)), seed=0, measure=measure)
    train_phase(plain, phase(None), seed=0, measure=measure)
    assert modes == [(False, False, False)] * STEPS
    assert same(bits(net), bits(plain)) and plain.training


def test_without_scores_nothing_stops():
    seen = []
    train_phase(network(), phase(StopSettings(patience=1)), seed=0, observe=lambda step, _: seen.append(step))
    assert seen == list(range(STEPS))


def test_an_unknown_score_is_refused():
    with pytest.raises(UserError, match=r"stop\.metric=auc: the task measures accuracy, loss; name one of them"):
        train_phase(
            network(), phase(StopSettings(metric="auc")), seed=0, measure=lambda: dict.fromkeys(("accuracy", "loss"), 0.0)
        )


@pytest.mark.parametrize("name", ["patience", "every"])
def test_settings_out_of_range_are_named(name: str):
    with pytest.raises(UserError, match=f"stop.{name}=0: give 1 or more"):
        StopSettings(**{name: 0})


def stopped(net: nn.Module, folder: Path, at: int | None = None) -> list[int]:
    """Trains until a loss that is measured stops falling; dies while step `at` is observed. Gives the steps done."""
    images, labels = batch(0, "val", items=32)
    seen: list[int] = []

    def observe(step: int, values: object) -> None:
        if step == at:
            die()
        seen.append(step)

    train_phase(
        net,
        phase(StopSettings(metric="loss", patience=4, every=2), steps=40, lr=0.05),
        seed=3,
        checkpoint=Checkpoint(folder),
        save_every=3,
        observe=observe,
        measure=lambda: {"loss": float(nn.functional.cross_entropy(net(images), labels))},
    )
    return seen


def test_killed_and_resumed_gives_the_same_bytes(tmp_path):
    whole, killed = network(), network()
    steps = stopped(whole, tmp_path / "whole")
    best = steps[-1] - 4
    assert 4 < best < 30, "it stops neither at once nor never"
    for at in (4, best + 1, best + 3, best + 4):  # before and after the best step's checkpoint
        assert status(forked(partial(stopped, network(), tmp_path / "run", at))) == -signal.SIGKILL
    again = stopped(killed, tmp_path / "run")
    assert again[-1] == steps[-1] and len(again) < 5
    assert same(bits(killed), bits(whole))
    finished = network()
    assert stopped(finished, tmp_path / "run") == [], "one that has ended is not trained on"
    assert same(bits(finished), bits(whole))


STOPPING = PathPhaseSettings(
    steps=20, batch=8, optim=OptimSettings(lr=0.2), stop=StopSettings(metric="accuracy", patience=4, every=2)
)


@pytest.fixture
def looks(monkeypatch) -> list[tuple[str, float]]:
    """Split and accuracy of every measurement of a `ToyTask`."""
    seen: list[tuple[str, float]] = []
    real = ToyTask.metrics

    def metrics(self: ToyTask, network: nn.Module, split: str, limit: int | None = None) -> dict[str, float]:
        found = real(self, network, split, limit)
        seen.append((split, found["accuracy"]))
        return found

    monkeypatch.setattr(ToyTask, "metrics", metrics)
    return seen


def of_last_phase(looks: list[tuple[str, float]]) -> list[float]:
    """The looks of the second of two phases: the first ends once four steps, two looks, brought nothing better."""
    values, best = [value for _, value in looks], -1
    for i, value in enumerate(values):
        best = i if best < 0 or value > values[best] else best
        if i - best == 2 or i == 9:
            return values[i + 1 :]
    raise AssertionError("the first phase never ended")


def test_training_from_scratch_stops_early(looks):
    task = ToyTask(length=2, training=STOPPING)
    (scores,) = FromScratch(task=task, seed=0, limit=48)([task.baseline], "full")
    *seen, (_, last) = looks
    second = of_last_phase(seen)
    assert 2 < len(second) < 10 and {split for split, _ in seen} == {"val"}
    assert scores.values["accuracy"] == last == max(second) > second[-1]


def test_retraining_stops_early(looks, tmp_path):
    task = ToyTask(length=2, training=STOPPING)
    (tmp_path / "checkpoints").mkdir()
    job = Job(name="baseline", kind="baseline", arch=task.baseline, seed=0)
    row, curve = retrain(partial(ToyTask, length=2, training=STOPPING), tmp_path, 0, "cpu", 100, job)
    second = of_last_phase(looks[:-2])
    assert Counter(split for split, _ in looks) == {"val": len(looks) - 1, "test": 1}
    assert row["val"]["accuracy"] == max(second)
    assert len(curve) < 2 * STOPPING.steps
