"""Training a network or a supernet phase by phase, resumable inside each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from common.oneshot.settings import PathPhaseSettings
from common.streams import derive
from common.supernet import Supernet, cost_bins, fair, sandwich, uniform
from common.supernet.paths import Policy, extreme

if TYPE_CHECKING:
    from common.task import Task

Observe = Callable[[int, Mapping[str, float]], None]


def build_supernet(task: Task, seed: int, device: str) -> Supernet:
    """The task's supernet on `device`."""
    return Supernet(task.supernet(seed).to(device), task.space)


def path_policy(task: Task, settings: PathPhaseSettings, seed: int, name: str) -> Policy:
    """The paths that the steps of a phase train."""
    key = derive(seed, "phase", name)
    match settings.paths:
        case "uniform":
            return uniform(task.space, key)
        case "fair":
            return fair(task.space, key)
        case "sandwich":
            return sandwich(task.space, key)
        case "cost-bins":
            return cost_bins(task.space, key, lambda arch: task.costs(arch)[settings.bins_in], settings.bins)
        case "baseline":
            return lambda step: [task.baseline]
        case "largest":
            widest = extreme(task.space, largest=True)
            return lambda step: [widest]
