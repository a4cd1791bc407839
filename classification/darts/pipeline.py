"""A differentiable search for classifiers from images to a report: one pipeline, whose methods differ in settings alone."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from classification.darts.drawing import draw_genotype
from classification.darts.methods import METHODS
from classification.darts.settings import Settings
from classification.darts.space import genotype_of
from classification.darts.system import SYSTEM
from classification.task import ClassificationTask
from common.differentiable.search import RelaxedSearch
from common.options import RunOptions
from common.run.stages import Stage
from common.space import decode
from common.stages.best import Best
from common.stages.context import Context
from common.stages.drawing import Drawing
from common.stages.retrain import Retrain, avoiding
from common.stages.run import run as run_system


def run(settings: Settings, options: RunOptions) -> Path:
    """Runs every stage that is not done yet and writes the report; prints its path.

    Args:
        settings: what to compute.
        options: where and how: output folder, resume, workers, device.

    Raises:
        UserError: the device, the data, the budget or the output folder cannot be used.
    """
    method = METHODS[settings.method]
    system = replace(SYSTEM, name=settings.method, title=method.title, paper=method.paper)
    return run_system(
        settings,
        options,
        system,
        factory=partial(ClassificationTask, settings),
        stages=partial(stages, settings),
        notes=NOTES,
    )


def stages(settings: Settings, task: ClassificationTask) -> list[Stage[Context]]:
    """The stages of a run, in order."""
    forbidden = settings.search.forbidden
    return [
        RelaxedSearch(settings=settings.search, save_every=settings.save_every),
        Drawing(draw=lambda arch: draw_genotype(genotype_of(decode(task.space, arch)))),
        Retrain(
            settings=settings.retrain,
            allowed=avoiding(task.space, forbidden) if forbidden else None,
            save_every=settings.save_every,
        ),
        Best(pictures=settings.pictures),
    ]


NOTES = [
    "Costs: params and macs are those of the network that is trained alone, for one image of the data's size (convolutions and "
    "linear layers), without the second classifier of training.",
    "The search learns from the training split alone. Networks are chosen by the validation split and compared on the test "
    "split, which no training and no choice has read, unless the data has none of its own; see Data.",
    "skip_share (in metrics.jsonl, stage search) near 1 and few weights in the found cells tell the collapse of differentiable "
    "search; entropy is 1 where all options are alike and 0 where every decision is made.",
]
