"""A DetNAS run from images to a report (paper section 3; stages as in figure 2, retraining and comparison as in section 4)."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from common.oneshot.stages import RandomBaseline, Search, TrainSupernet, inherited
from common.run.stages import Stage
from common.script import RunOptions
from common.stages.best import Best
from common.stages.context import Context
from common.stages.retrain import Retrain
from common.stages.run import run as run_system
from detection.detnas.settings import Settings
from detection.detnas.system import SYSTEM
from detection.task import DetectionTask


def run(settings: Settings, options: RunOptions) -> Path:
    """Runs every stage that is not done yet and writes the report; prints its path.

    Args:
        settings: what to compute.
        options: where and how: output folder, resume, workers, device.

    Raises:
        UserError: the device, the data, the budget or the output folder cannot be used.
    """
    return run_system(
        settings,
        options,
        SYSTEM,
        factory=partial(DetectionTask, settings),
        stages=partial(stages, settings),
        notes=NOTES,
    )


def stages(settings: Settings, task: DetectionTask) -> list[Stage[Context]]:
    """The stages of a run, in order."""
    phases = task.phases("supernet")
    every = settings.save_every
    training = [TrainSupernet(name=f"supernet {phase.name}", index=i, save_every=every) for i, phase in enumerate(phases)]
    baseline = [RandomBaseline(settings=settings.search)] if settings.search.random_baseline else []
    return [
        *training,
        Search(settings=settings.search),
        *baseline,
        Retrain(settings=settings.retrain, inherited=partial(inherited, settings.search), save_every=every),
        Best(pictures=settings.pictures),
    ]


NOTES = [
    "Costs: params and macs are those of the whole detector at the run's image size, macs_backbone and "
    "macs_classifier those of the backbone at 224x224, alone and with the ImageNet classifier (convolutions and linear layers).",
    "Candidates are compared on the validation split with inherited weights; retrained networks on the test split, which "
    "no training and no choice has read, unless the data has none of its own; see Data.",
]
