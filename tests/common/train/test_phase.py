import torch
from torch import nn

from common.stages.settings import PhaseSettings
from common.train.optim import OptimSettings
from common.train.phase import train_phase
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
