"""Training one phase of a network or of a supernet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from common.supernet import Supernet
from common.supernet.paths import Policy
from common.train.early import EarlyStop
from common.train.fit import fit
from common.train.optim import averaged, make_optimizer, make_schedule

if TYPE_CHECKING:
    from common.run.checkpoint import Checkpoint
    from common.task import Phase

Observe = Callable[[int, Mapping[str, float]], None]


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
    before_step: Callable[[int], list[Callable[[], object]]] | None = None
    if supernet is not None and policy is not None:
        handle, draw = supernet, policy
        before_step = lambda step: [partial(handle.activate, arch) for arch in draw(step)]  # noqa: E731
    guard: dict[str, Any] = {} if supernet is None else {"around_step": lambda: supernet.idle_protected(optimizer, model)}
    early = None
    if settings.stop is not None and measure is not None:
        early = EarlyStop(network=network, measure=measure, settings=settings.stop)

    ema = None if settings.ema is None else averaged(model, settings.ema)

    def seen(step: int, values: Mapping[str, float]) -> None:
        if early is not None:
            early.look(step)
        if observe is not None:
            observe(step, values)

    last = fit(
        model,
        batch_at=lambda step: phase.batch_at(step, seed),
        loss=phase.loss,
        optimizer=optimizer,
        schedule=make_schedule(settings.optim),
        steps=max(1, round(settings.steps * share)) if settings.steps else 0,
        seed=seed,
        checkpoint=checkpoint,
        save_every=save_every,
        before_step=before_step,
        clip_norm=settings.optim.clip,
        observe=seen,
        ema=ema,
        side=early,
        until=None if early is None else early.ended,
        **guard,
    )
    if early is not None:
        early.restore()
    if ema is not None and last:
        model.load_state_dict(ema.module.state_dict())
    with torch.no_grad():
        phase.finish(network, model)
    return last
