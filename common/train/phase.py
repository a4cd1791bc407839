"""Training one phase of a network or of a supernet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import torch
from torch import nn

from common.supernet import Supernet
from common.supernet.paths import Policy
from common.train.averaging import Averaging
from common.train.early import EarlyStop
from common.train.fit import fit
from common.train.optim import make_clip, make_optimizer, make_schedule
from common.train.sampled import SampledPaths
from common.train.step import Losses, Participant

if TYPE_CHECKING:
    from common.run.checkpoint import Checkpoint
    from common.task import Phase

Observe = Callable[[int, Mapping[str, float]], None]

PRECISIONS = {"none": None, "bfloat16": torch.bfloat16, "float16": torch.float16}
"""Name in settings -> dtype of mixed precision."""


def train_phase(
    network: nn.Module,
    phase: Phase,
    *,
    seed: int,
    supernet: Supernet | None = None,
    policy: Policy | None = None,
    checkpoint: Checkpoint | None = None,
    observe: Observe | None = None,
    save_every: int = 200,
    share: float = 1.0,
    measure: Callable[[], Mapping[str, float]] | None = None,
) -> dict[str, float]:
    """Trains `network` through one phase; with a supernet and a policy, one step trains the paths the policy names.

    Args:
        network: changed in place.
        phase: what to do.
        seed: of batches, of the phase's own head and of what layers draw.
        supernet: the handle on `network`, if it is one.
        policy: step -> paths.
        checkpoint: where the phase is saved and resumed from.
        observe: told of every step.
        save_every: steps between checkpoints.
        share: of the phase's steps to do, in (0, 1], one at least; the schedule is that of the shorter training.
        measure: validation scores of the network, for a phase that stops early; it ends with the best weights.

    Returns:
        Running means of the loss terms at the end; empty for a phase of 0 steps, which trains nothing.
    """
    settings = phase.settings
    model = phase.wrap(network, seed).to(next(network.parameters()).device)
    optimizer = make_optimizer(model, settings.optim)
    participants: list[Participant] = []
    if supernet is not None:
        participants.append(SampledPaths(supernet=supernet, policy=policy, optimizer=optimizer, model=model))
    average = None if settings.ema is None else Averaging(network=model, decay=settings.ema)
    early = None
    if settings.stop is not None and measure is not None:
        early = EarlyStop(network=network, measure=measure, settings=settings.stop)
    last = fit(
        Losses(model, phase.loss),
        batch_at=lambda number: phase.batch_at(number, seed),
        optimizer=optimizer,
        schedule=make_schedule(settings.optim),
        steps=max(1, round(settings.steps * share)) if settings.steps else 0,
        seed=seed,
        participants=[*participants, *(one for one in (average, early) if one is not None)],
        checkpoint=checkpoint,
        save_every=save_every,
        clip=make_clip(settings.optim),
        accumulate=settings.accumulate,
        amp=PRECISIONS[settings.amp],
        observe=observe,
    )
    if early is not None:
        early.restore()
    if average is not None and last:
        average.apply()
    with torch.no_grad():
        phase.finish(network, model)
    return last
