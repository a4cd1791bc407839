"""A run from its settings to its report, for any system: what differs are the task and the stages."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Protocol

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
from common.stages.workers import TaskFactory, prepare
from common.task import System, Task


class RunSettings(Protocol):
    """What the settings of every system have."""

    @property
    def recipe(self) -> str:
        """The recipe that they began as."""
        ...

    @property
    def budget(self) -> Mapping[str, float]:
        """Hard upper limits on costs."""
        ...

    @property
    def seed(self) -> int:
        """Of everything random."""
        ...

    @property
    def threads(self) -> int:
        """Torch threads of each process."""
        ...


def prepared(settings: RunSettings, options: RunOptions, system: System) -> tuple[Progress, Path, str]:
    """Checks the options, sets the number of threads, and says what begins; before any data are read.

    Returns:
        The progress display, the run's folder and its device.

    Raises:
        UserError: the device or the folder cannot be used.
    """
    device = device_named(options.device)
    torch.set_num_threads(settings.threads)
    if options.resume and options.out is None:
        raise UserError("--resume needs the folder to go on with; give --out")
    out = Path(options.out) if options.out else next_folder(f"{system.name}-{settings.recipe}")
    progress = Progress(quiet=options.quiet)
    progress.say(f"{system.title}, recipe {settings.recipe}, into {out}")
    return progress, out, device


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


def told(progress: Progress, data: Remarks) -> list[str]:
    """Says what is remarkable about the data; gives what the report's notes say of it."""
    for note in (*data.notes, *(f"left out: {item}" for item in data.skipped)):
        progress.say(f"note: {note}")
    left_out = len(data.skipped)
    return [f"{left_out} damaged or unusable items of the data were left out; see Data."] if left_out else []


def run(
    settings: RunSettings,
    options: RunOptions,
    system: System,
    *,
    started: tuple[Progress, Path, str],
    factory: TaskFactory,
    task: Task,
    stages: Sequence[Stage[Context]],
    facts: Mapping[str, Any],
    last_pooled: str,
) -> Path:
    """Runs every stage that is not done yet and writes the report; prints its path.

    Args:
        settings: What to compute; a dataclass.
        options: Where and how.
        system: What is run.
        started: What `prepared` gave.
        factory: Makes the task anew in workers.
        task: What it made in this process.
        stages: In their order.
        facts: More entries of `config.json`: `task`, `data` and `notes` at least.
        last_pooled: The last stage that uses workers: they are warmed up unless it is done.

    Raises:
        UserError: the budget or the output folder cannot be used.
    """
    progress, out, device = started
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
        **facts,
    }
    open_folder = RunFolder.resume if options.resume else RunFolder.create
    pool = LocalPool(workers(options.workers, device, settings.threads), settings.threads)
    with open_folder(out, config, task.space) as folder, pool:
        if not folder.done(last_pooled):
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
        run_stages(stages, folder, progress, context, resume_command(out))
        report = write_report(out)
    print(report)
    return report


def workers(asked: int | None, device: str, threads: int) -> int:
    """Worker processes: by default as many as the cores have threads for, at most four; none on a GPU, which they would share."""
    if asked is not None:
        return asked
    return 0 if device != "cpu" else max(1, min(4, (os.cpu_count() or 1) // threads))
