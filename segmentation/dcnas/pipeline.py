"""A DCNAS run from pictures to a report: search on the task's own data, derivation, training of what was found and of rivals."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from common.differentiable.search import RelaxedSearch
from common.options import RunOptions
from common.run.stages import Stage
from common.stages.best import Best
from common.stages.context import Context
from common.stages.drawing import Drawing
from common.stages.retrain import Retrain
from common.stages.run import run as run_system
from segmentation.dcnas.derive import random_alike
from segmentation.dcnas.drawing import draw
from segmentation.dcnas.settings import Settings
from segmentation.dcnas.system import SYSTEM
from segmentation.task import SegmentationTask


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
        factory=partial(SegmentationTask, settings),
        stages=partial(stages, settings),
        notes=NOTES,
    )


def stages(settings: Settings, task: SegmentationTask) -> list[Stage[Context]]:
    """The stages of a run, in order."""
    every = settings.save_every
    return [
        RelaxedSearch(settings=settings.search, save_every=every),
        Drawing(draw=partial(draw, task.space)),
        Retrain(
            settings=settings.retrain,
            alike=partial(random_alike, task.space, forbidden=settings.search.forbidden),
            save_every=every,
        ),
        Best(pictures=settings.pictures),
    ]


NOTES = [
    "DCNAS's code is not public: where the paper's text leaves a choice open, the one made here is a reconstruction; the "
    "settings and the docstrings name them.",
    "Costs: params and macs are those of the network that is trained alone, without orphan cells, its operators on all channels, "
    "with its head, for one picture of the training pictures' size (convolutions and linear layers).",
    "Random architectures are derived as the found one is: each of their cells has as many inputs, drawn at random.",
    "The search learns from the training split alone, weights from one half of it and the architecture from the other. Networks "
    "are chosen by the validation split and compared on the test split, which no training and no choice has read, unless the "
    "data has none of its own; see Data.",
]
