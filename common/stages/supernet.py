"""Training a supernet some paths at a step, phase by phase."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from common.run.checkpoint import load_weights, save_weights
from common.stages.context import Context
from common.stages.settings import PathPhaseSettings, PathTrainSettings, TrainSettings
from common.stages.training import train_shown
from common.streams import derive
from common.supernet import Supernet, cost_bins, fair, sandwich, uniform
from common.supernet.paths import Policy, extreme

if TYPE_CHECKING:
    from common.task import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSupernet:
    """One phase of the supernet's training; it begins with the weights of the phase before it."""

    name: str
    index: int
    """Position among the task's phases of kind `supernet`."""
    parallel: ClassVar[bool] = False

    def run(self, context: Context) -> Mapping[str, object]:
        """Trains, and leaves the weights in `weights/`."""
        task = context.task
        phases = task.phases("supernet")
        phase = phases[self.index]
        supernet = build_supernet(task, derive(context.seed, "supernet"), context.device)
        if self.index:
            load_weights(context.weights(phases[self.index - 1].name), supernet.module)
        last = train_shown(
            context,
            self.name,
            supernet.module,
            phase,
            seed=derive(context.seed, "supernet", phase.name),
            save_every=context.save_every,
            supernet=supernet,
            policy=path_policy(task, phase.settings, context.seed, phase.name),
        )
        context.weights(phase.name).parent.mkdir(exist_ok=True)
        save_weights(context.weights(phase.name), supernet.module)
        return {"steps": phase.settings.steps, "last": last}


def build_supernet(task: Task, seed: int, device: str) -> Supernet:
    """The task's supernet on `device`."""
    return Supernet(task.supernet(seed).to(device), task.space)


def path_policy(task: Task, settings: TrainSettings, seed: int, name: str) -> Policy:
    """The paths that the steps of a phase train: uniformly sampled ones where its settings do not say."""
    key = derive(seed, "phase", name)
    paths = settings.paths if isinstance(settings, PathPhaseSettings | PathTrainSettings) else "uniform"
    match paths:
        case "uniform":
            return uniform(task.space, key)
        case "fair":
            return fair(task.space, key)
        case "sandwich":
            return sandwich(task.space, key)
        case "cost-bins":
            assert isinstance(settings, PathPhaseSettings)
            metric = settings.bins_in
            return cost_bins(task.space, key, lambda arch: task.costs(arch)[metric], settings.bins)
        case "baseline":
            return lambda step: [task.baseline]
        case "largest":
            widest = extreme(task.space, largest=True)
            return lambda step: [widest]
