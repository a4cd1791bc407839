"""A GAN Compression run from pictures to a report (paper, figure 3; the fast pipeline leaves the distilled start out)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from common.oneshot.stages import RandomBaseline, Search, TrainSupernet, inherited

from common.options import RunOptions
from common.run.stages import Stage
from common.stages.best import Best
from common.stages.context import Context
from common.stages.retrain import Retrain
from common.stages.run import folder_of
from common.stages.run import run as run_system
from gan.compression.settings import Settings
from gan.compression.stages import Savings, TeacherScores, TrainTeacher
from gan.compression.system import SYSTEM
from gan.task import TranslationTask


def run(settings: Settings, options: RunOptions) -> Path:
    """Runs every stage that is not done yet and writes the report; prints its path.

    Args:
        settings: what to compute.
        options: where and how: output folder, resume, workers, device.

    Raises:
        UserError: the device, the data, the budget or the output folder cannot be used.
    """
    out = folder_of(options, settings, SYSTEM)
    return run_system(
        settings,
        replace(options, out=str(out)),
        SYSTEM,
        factory=partial(TranslationTask, settings, out / "weights"),
        stages=partial(stages, settings),
        notes=notes(settings),
    )


def stages(settings: Settings, task: TranslationTask) -> list[Stage[Context]]:
    """The stages of a run, in order."""
    every, last = settings.save_every, task.phases("supernet")[-1].name
    students = [TrainSupernet(name=phase.name, index=i, save_every=every) for i, phase in enumerate(task.phases("supernet"))]
    narrower = {w: arch for w, arch in task.uniform_archs.items() if arch != task.baseline and task.keeps_budget(arch)}
    steps = settings.supernet.steps + settings.finetune.steps
    game = "paired" if task.data.paired else "unpaired"
    words = (f"{game}.distil=0", f"finetune.steps={steps}")
    return [
        TrainTeacher(save_every=every),
        *students,
        Search(settings=settings.search),
        *([RandomBaseline(settings=settings.search)] if settings.search.random_baseline else []),
        TeacherScores(),
        Retrain(
            settings=settings.retrain,
            inherited=partial(inherited, settings.search),
            others={f"width {width}": arch for width, arch in narrower.items()},
            start=lambda context: context.weights(last),
            otherwise={"student without distillation": words} if settings.without_distillation else {},
            save_every=every,
        ),
        Savings(),
        Best(pictures=settings.pictures),
    ]


def notes(settings: Settings) -> list[str]:
    """What a reader of the report must know."""
    if settings.features is None:
        distance = (
            "Frechet is a Fréchet distance of 64 features of a small network of fixed random weights. It is no FID: it compares "
            "generators on these pictures, and its values mean nothing elsewhere."
        )
    else:
        distance = "FID is measured with torchvision's Inception v3 weights, which differ a little from those of published FIDs."
    return [
        distance,
        "macs are counted as in the paper: transposed convolutions by their output, which is four times what they compute, and "
        "one for each output of an instance normalisation, for one picture of the run's size.",
        "Candidates are compared on the validation split with the supernet's weights; what is trained alone on the test split, "
        "which no training and no choice has read, unless the data has none of its own; see Data.",
        "baseline, width N: generators of one width everywhere (baseline: the widest that keeps the budget). They and random "
        "ones begin with their part of the supernet and are fine-tuned as the found one is. The student without distillation is "
        "the found one trained from nothing, as long as supernet and fine-tuning took together, without its teacher's maps.",
        "L1 is a share of the whole range of values, 0 to 1.",
    ]
