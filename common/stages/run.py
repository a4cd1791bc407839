"""A run from its settings to its report, for any system: what differs are the task and the stages."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch

from common.errors import UserError
from common.evaluate.pool import LocalPool
from common.objective import Constraint
from common.run.environment import environment
from common.run.folder import RunFolder
from common.run.progress import Progress
from common.run.report import write_report
from common.run.stages import Stage, resume_command, run_stages
from common.script import RunOptions, device_named, next_folder, plain
from common.stages.context import Context, check_feasible
from common.stages.settings import RunSettings
from common.stages.workers import prepare, task_of
from common.task import System, Task


class Remarks(Protocol):
    """What data say of themselves."""

    @property
    def notes(self) -> Sequence[str]:
        """What a reader of the figures must know."""
        ...

    @property
    def skipped(self) -> Sequence[str]:
        """What was left out, each with its reason."""
        ...

    def describe(self) -> Mapping[str, Any]:
        """The entry `data` of `config.json`."""
        ...


class RunTask(Task, Protocol):
    """A task as a run needs it."""

    @property
    def kind(self) -> str:
        """The task's name in `config.json` and the report: detection, say."""
        ...

    @property
    def data(self) -> Remarks:
        """What it learns from."""
        ...

    def check_budget(self, metric: str, upper: float) -> None:
        """Refuses an upper limit on a cost that no architecture keeps.

        Raises:
            UserError: names the least cost.
        """
        ...


T = TypeVar("T", bound=RunTask)


def run(
    settings: RunSettings,
    options: RunOptions,
    system: System,
    *,
    factory: Callable[[], T],
    stages: Callable[[T], Sequence[Stage[Context]]],
    notes: Sequence[str],
) -> Path:
    """Runs every stage that is not done yet and writes the report; prints its path.

    Args:
        settings: What to compute.
        options: Where and how.
        system: What is run.
        factory: Makes the task, here and in workers: picklable.
        stages: What is done with the task, in order; the last one to use workers is named `retrain`.
        notes: What a reader of the report must know of this system.

    Raises:
        UserError: the device, the data, the budget or the output folder cannot be used.
    """
    device = device_named(options.device)
    torch.set_num_threads(settings.threads)
    out = folder_of(options, settings, system)
    progress = Progress(quiet=options.quiet)
    progress.say(f"{system.title}, recipe {settings.recipe}, into {out}")
    task = task_of(factory)
    for note in (*task.data.notes, *(f"left out: {item}" for item in task.data.skipped)):
        progress.say(f"note: {note}")
    for metric, upper in settings.budget.items():
        task.check_budget(metric, upper)
    constraints = [Constraint(metric, upper=upper) for metric, upper in settings.budget.items()]
    check_feasible(task, constraints, settings.seed)
    config = {
        "system": system.name,
        "title": system.title,
        "paper": system.paper,
        "recipe": settings.recipe,
        "seed": settings.seed,
        "command": shlex.join(["python", *sys.orig_argv[1:]]),
        "settings": plain(settings),
        "objectives": [plain(objective) for objective in task.objectives],
        "constraints": [{"metric": metric, "upper": upper} for metric, upper in settings.budget.items()],
        "environment": {**environment(), "date": date.today().isoformat()},
        "workers": options.workers,
        "device": device,
        "task": task.kind,
        "data": task.data.describe(),
        "notes": [*notes, *_left_out(len(task.data.skipped))],
    }
    open_folder = RunFolder.resume if options.resume else RunFolder.create
    pool = LocalPool(workers(options.workers, device, settings.threads), settings.threads)
    with open_folder(out, config, task.space) as folder, pool:
        if not folder.done("retrain"):
            pool.warm(prepare, factory)  # workers import and read while this process trains
        context = Context(
            task=task,
            factory=factory,
            folder=folder,
            progress=progress,
            pool=pool,
            seed=settings.seed,
            device=device,
            constraints=constraints,
        )
        run_stages(stages(task), folder, progress, context, resume_command(out))
        report = write_report(out)
    print(report)
    return report


def folder_of(options: RunOptions, settings: RunSettings, system: System) -> Path:
    """The folder of a run: the one asked for, else the next free one below runs/.

    Raises:
        UserError: a run is to be resumed, and its folder is not given.
    """
    if options.resume and options.out is None:
        raise UserError("--resume needs the folder to go on with; give --out")
    return Path(options.out) if options.out else next_folder(f"{system.name}-{settings.recipe}")


def _left_out(items: int) -> list[str]:
    return [f"{items} damaged or unusable items of the data were left out; see Data."] if items else []


def workers(asked: int | None, device: str, threads: int) -> int:
    """Worker processes: by default as many as the cores have threads for, at most four; none on a GPU, which they would share."""
    if asked is not None:
        return asked
    return 0 if device != "cpu" else max(1, min(4, (os.cpu_count() or 1) // threads))
