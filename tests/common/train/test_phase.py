import signal
from dataclasses import dataclass

import pytest
import torch
from torch import nn

from common.errors import UserError
from common.run.checkpoint import Checkpoint
from common.stages.settings import PhaseSettings, StopSettings
from common.train.optim import OptimSettings
from common.train.phase import train_phase
from tests.common.run.killing import die, forked, status
from tests.common.stages.paths_toy import ToyPhase


def trained(steps: int, share: float = 1.0) -> tuple[nn.Module, dict[str, float], list[int]]:
    """A network after a phase, what the phase gave, and the steps that were observed."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 3, 8), nn.Flatten())
    settings = PhaseSettings(steps=steps, batch=4, optim=OptimSettings(lr=0.1))
    seen: list[int] = []
    last = train_phase(
        network, ToyPhase(name="p", settings=settings), seed=0, share=share, observe=lambda step, _: seen.append(step)
    )
    return network, last, seen


def test_a_phase_of_no_steps_trains_nothing():
    torch.manual_seed(0)
    untouched = nn.Conv2d(3, 3, 8)
    network, last, seen = trained(0)
    assert (last, seen) == ({}, [])
    assert torch.equal(network.get_parameter("0.weight"), untouched.weight)


def test_a_share_of_a_phase_is_at_least_one_step():
    assert trained(6, share=0.5)[2] == [0, 1, 2]
    assert trained(6, share=0.01)[2] == [0]
    assert "loss" in trained(6)[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slow(ToyPhase):
    """Dies at a step, if told to."""

    kill_at: int | None = None

    def batch_at(self, step, seed):
        if step == self.kill_at:
            die()
        return ToyPhase.batch_at(self, step, seed)


def ended(ema: float | None, checkpoint: Checkpoint | None = None, kill_at: int | None = None) -> torch.Tensor:
    """The weights after twelve steps."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 3, 8), nn.Flatten())
    settings = PhaseSettings(steps=12, batch=4, optim=OptimSettings(lr=0.1), ema=ema)
    phase = Slow(name="p", settings=settings, kill_at=kill_at)
    train_phase(network, phase, seed=0, checkpoint=checkpoint, save_every=4)
    return network.get_parameter("0.weight").detach().clone()


def test_a_network_ends_with_the_moving_average_of_its_weights():
    last, mean = ended(None), ended(0.2)
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 3, 8), nn.Flatten())
    wanted: torch.Tensor | None = None
    seen: list[torch.Tensor] = []
    settings = PhaseSettings(steps=12, batch=4, optim=OptimSettings(lr=0.1))
    train_phase(
        network,
        ToyPhase(name="p", settings=settings),
        seed=0,
        observe=lambda step, _: seen.append(network.get_parameter("0.weight").detach().clone()),
    )
    for n, weight in enumerate(seen):
        keep = min(0.2, (1 + n) / (10 + n))
        wanted = weight if wanted is None else keep * wanted + (1 - keep) * weight
    assert wanted is not None
    torch.testing.assert_close(mean, wanted)
    assert not torch.allclose(mean, last)


@pytest.mark.parametrize("kill_at", [3, 9])
def test_the_moving_average_survives_a_kill(tmp_path, kill_at):
    undisturbed = ended(0.9, Checkpoint(tmp_path / "a"))
    assert status(forked(lambda: ended(0.9, Checkpoint(tmp_path / "b"), kill_at))) == -signal.SIGKILL
    assert torch.equal(ended(0.9, Checkpoint(tmp_path / "b")), undisturbed)
    assert torch.equal(ended(0.9, Checkpoint(tmp_path / "b")), undisturbed)  # of a training that is complete


def test_a_step_may_accumulate_batches_in_mixed_precision():
    """Two batches a step, of which the loss sees each, in the type that is asked for."""
    seen = []

    class Seen(ToyPhase):
        def batch_at(self, step, seed):
            seen.append(step)
            return ToyPhase.batch_at(self, step, seed)

        def loss(self, model, batch, step):
            seen.append(model(batch[0]).dtype)
            return ToyPhase.loss(self, model, batch, step)

    settings = PhaseSettings(steps=2, batch=4, optim=OptimSettings(lr=0.1), accumulate=2, amp="bfloat16")
    network = nn.Sequential(nn.Conv2d(3, 3, 8), nn.Flatten())
    assert "loss" in train_phase(network, Seen(name="p", settings=settings), seed=0)
    assert seen == [0, torch.bfloat16, 1, torch.bfloat16, 2, torch.bfloat16, 3, torch.bfloat16]
    assert network[0].weight.dtype == torch.float32


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"accumulate": 0}, "accumulate is 0; give 1 batch a step, or more"),
        ({"ema": 1.0}, "ema is 1.0; give a number above 0 and below 1, or none"),
        ({"ema": 0.9, "stop": StopSettings()}, "ema and stop: .* give one of both"),
    ],
)
def test_averages_that_cannot_be_are_refused(more, says):
    with pytest.raises(UserError, match=says):
        PhaseSettings(steps=1, batch=1, optim=OptimSettings(), **more)
