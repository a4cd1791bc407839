"""One phase of a network's training as a stage shows it: progress on the screen, rows of the loss curve, a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from common.stages.context import Context
from common.train.phase import train_phase

if TYPE_CHECKING:
    from torch import nn

    from common.supernet import Supernet
    from common.supernet.paths import Policy
    from common.task import Phase

LOG_EVERY = 5
"""Steps between two rows of the loss curve."""


def train_shown(
    context: Context,
    name: str,
    network: nn.Module,
    phase: Phase,
    *,
    seed: int,
    save_every: int,
    supernet: Supernet | None = None,
    policy: Policy | None = None,
) -> dict[str, float]:
    """Trains `network` through a phase, going on from the checkpoint of the stage `name`; see `train_phase`."""
    steps = phase.settings.steps
    checkpoint = context.folder.checkpoint(name)
    saved = checkpoint.load()
    with context.progress.stage(name, steps, saved.step if saved else 0) as bar:

        def observe(step: int, values: Mapping[str, float]) -> None:
            if step % LOG_EVERY == 0 or step + 1 == steps:
                context.folder.append_metrics(name, step, values)
            bar.advance(1, loss=values["loss"])

        return train_phase(
            network,
            phase,
            seed=seed,
            supernet=supernet,
            policy=policy,
            checkpoint=checkpoint,
            observe=observe,
            save_every=save_every,
        )
