"""What a differentiable search computes and what the training of one network does, in the same unit: floating-point operations.

Torch counts them as they run (`torch.utils.flop_counter`): convolutions, products of matrices and attention, forward and
backward. Steps that do the same work are counted once and multiplied.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

import torch

from common.train.alternate import Alternation
from common.train.fit import move_batch, total_loss
from common.train.step import Losses, Participant, Step, paths_of

if TYPE_CHECKING:
    from torch import nn

    from common.space import Arch
    from common.task import Phase, Task

SAMPLES = 3
"""Steps that are counted of those that are alike: what is sampled differs from step to step."""


def flops_of_search(
    alternation: Alternation, loss: Callable[..., Any], made: int, beside: Callable[[Step], object] | None = None
) -> float:
    """Operations of the first `made` steps of a search, those of the weights and of the architecture; scorings are not in them.

    Options that a search drops on its way are counted as if they had stayed, and those that stop learning as if they went on: an
    upper bound there.

    Args:
        alternation: before its first step; it is used up.
        loss: of the weights' phase.
        made: steps, at least 1.
        beside: what each step does besides, after the gradients of the weights are there.
    """
    steps = [Step(number=n, progress=n / alternation.steps, seed=alternation.seed) for n in range(made)]
    due = [step for step in steps if alternation.due(step)]
    rest = [step for step in steps if not alternation.due(step)]
    losses = Losses(alternation.model.network, loss)

    def of_step(step: Step) -> int:
        return flops_of_step(alternation, losses, step, [alternation], beside)

    return sum(len(alike) * fmean(map(of_step, spread_over(alike))) for alike in (due, rest) if alike)


def flops_of_step(
    alternation: Alternation,
    losses: Losses,
    step: Step,
    participants: Sequence[Participant],
    beside: Callable[[Step], object] | None = None,
) -> int:
    """Operations of one step of a search.

    Args:
        alternation: of the search.
        losses: the network with the losses of the weights' phase.
        step: what is counted.
        participants: who acts before the step; one of them chooses what it runs.
        beside: what the step does besides, after the gradients of the weights are there.
    """
    device = next(losses.parameters()).device
    losses.train()

    def run() -> None:
        losses.zero_grad()
        batch = move_batch(alternation.train_batch(step.number), device)
        for path in paths_of(participants, step):
            path.activate()
            total_loss(losses(batch, step)).backward()
        if beside is not None:
            beside(step)

    return operations(run)


def flops_of_training(task: Task, arch: Arch, seed: int, device: str = "cpu") -> float:
    """Operations of the training of an architecture alone, all steps of all phases."""
    network = task.network(arch, seed).to(device)
    return sum(_flops_of_phase(network, phase, seed) for phase in task.phases("standalone") if phase.settings.steps)


def _flops_of_phase(network: nn.Module, phase: Phase, seed: int) -> float:
    device = next(network.parameters()).device
    losses = Losses(phase.wrap(network, seed).to(device), phase.loss).train()
    batch = move_batch(phase.batch_at(0, seed), device)
    step = Step(number=0, progress=0.0, seed=seed)
    return phase.settings.steps * phase.settings.accumulate * operations(lambda: total_loss(losses(batch, step)).backward())


def spread_over(steps: Sequence[Step], count: int = SAMPLES) -> list[Step]:
    """The first, the last and those between, at most `count` of them, evenly."""
    if len(steps) <= count:
        return list(steps)
    return [steps[i * (len(steps) - 1) // (count - 1)] for i in range(count)]


def operations(run: Callable[[], object]) -> int:
    """The floating-point operations of a call."""
    from torch.utils.flop_counter import FlopCounterMode  # takes a tenth of a second

    with torch.random.fork_rng([]), FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops()
