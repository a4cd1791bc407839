"""A run from its settings to its report, for any system."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import torch

from common.cost.timed import Timed
from common.errors import UserError
from common.evaluate.pool import LocalPool
from common.extras import require
from common.invocation import portable
from common.objective import Constraint
from common.options import RunOptions
from common.overrides import plain
from common.run.digests import digest_of
from common.run.environment import environment
from common.run.folder import RunFolder
from common.run.progress import Progress
from common.run.report import write_report
from common.run.stages import resume_command, run_stages
from common.script import device_named, next_folder
from common.stages.context import Context, check_feasible
from common.stages.search import check_search
from common.stages.settings import RunSettings
from common.stages.standard import standard_stages
from common.stages.workers import forget, prepare, task_of
from common.system import Method, System
from common.system_task import SystemTask

SPLITS = (
    "Choices between networks are made on the validation split. Retrained networks are compared on the test split, which no "
    "training and no choice has read, unless the data has none of its own; see Data."
)
"""What a reader of every report must know."""


def run(system: System, method: Method, settings: RunSettings, options: RunOptions, again: str = "") -> Path:
    """Runs every stage that is not done yet and writes the report.

    Args:
        system: what is run.
        method: the way it is searched.
        settings: what to compute.
        options: where and how: output folder, resume, workers, device.
        again: how to go on with a run that was stopped; the command line of this process by default.

    Returns:
        The report's file, in the run folder.

    Raises:
        UserError: packages of the task are missing, or the device, the data, the budget, the search or the output folder cannot
            be used.
    """
    require(system.package)
    device = device_named(options.device)
    before = torch.get_num_threads()
    torch.set_num_threads(settings.threads)
    out = folder_of(options, settings, method)
    factory = partial(system.make, settings, out / "weights")
    try:
        return _run(system, method, settings, options, out, factory, device, again)
    finally:  # the caller may be a program with more to do, also after a refusal
        torch.set_num_threads(before)
        forget(factory)


def _run(
    system: System,
    method: Method,
    settings: RunSettings,
    options: RunOptions,
    out: Path,
    factory: Callable[[], SystemTask],
    device: str,
    again: str,
) -> Path:
    if not options.resume:
        RunFolder.check_new(out)
    progress = Progress(quiet=options.quiet)
    progress.say(f"{method.title}, recipe {settings.recipe}, into {out}")
    task = task_of(factory)
    small = shrunk(settings)
    for note in (*small, *task.data.notes, *(f"left out: {item}" for item in task.data.skipped)):
        progress.say(f"note: {note}")
    if settings.budget or settings.search.cost is not None:  # a system's settings may not know the costs of its networks
        settings.check_costs(task.costs(task.baseline), f"network of {system.name}")
    for metric, upper in settings.budget.items():
        task.check_budget(metric, upper)
    constraints = [Constraint(metric, upper=upper) for metric, upper in settings.budget.items()]
    check_feasible(task, constraints, settings.seed)
    check_search(settings.search, task, constraints)
    config = {
        "system": method.name,
        "title": method.title,
        "paper": method.paper,
        "recipe": settings.recipe,
        "seed": settings.seed,
        "command": portable(),
        "settings": plain(settings),
        "objectives": [plain(objective) for objective in task.objectives],
        **({} if settings.search.reward is None else {"reward": settings.search.reward}),
        **({} if settings.latency is None else {"latency_table": _table(task)}),
        "constraints": [{"metric": metric, "upper": upper} for metric, upper in settings.budget.items()],
        "environment": {**environment(), "date": date.today().isoformat()},
        "workers": options.workers,
        "device": device,
        "task": task.kind,
        "data": task.data.describe(),
        "notes": [*system.notes(settings), *small, SPLITS, *_left_out(len(task.data.skipped))],
    }
    stages = (method.stages or system.stages or standard_stages)(task)
    open_folder = RunFolder.resume if options.resume else RunFolder.create
    pool = LocalPool(workers(options.workers, device, settings.threads), settings.threads)
    with open_folder(out, config, task.space) as folder, pool:
        if any(stage.parallel and not folder.done(stage.name) for stage in stages):
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
            save_every=settings.save_every,
        )
        run_stages(stages, folder, progress, context, again or resume_command(out))
        return write_report(out)


def _table(task: SystemTask) -> Mapping[str, Any]:
    """What a run remembers of its latency table: resumed with another one, it would have other costs."""
    costs = task.networks.costs
    assert isinstance(costs, Timed)
    return {**digest_of(costs.table.text().encode()), "conditions": costs.table.conditions, "check": costs.table.check}


def folder_of(options: RunOptions, settings: RunSettings, method: Method) -> Path:
    """The folder of a run: the one asked for, else the next free one below runs/.

    Raises:
        UserError: a run is to be resumed, and its folder is not given.
    """
    if options.resume and options.out is None:
        raise UserError("--resume needs the folder to go on with; give --out")
    return Path(options.out) if options.out else next_folder(f"{method.name}-{settings.recipe}")


def shrunk(settings: RunSettings) -> list[str]:
    """What a reader must know of a data folder that is read by the recipe smoke: which settings fit its embedded data alone."""
    named: Any = settings
    if settings.recipe != "smoke" or named.data.folder is None:
        return []
    data = named.data
    usual = plain(type(data)())
    changed = [f"data.{name}={json.dumps(value)}" for name, value in plain(data).items() if value != usual[name]]
    changed = [word for word in changed if word.split("=")[0] not in ("data.folder", "data.skip_bad", "data.name")]
    if not changed:
        return []
    return [
        f"The recipe smoke tries every stage on embedded data, and reads this folder in the same way: {', '.join(changed)}; "
        "the recipe small has settings for a folder."
    ]


def _left_out(items: int) -> list[str]:
    return [f"{items} damaged or unusable items of the data were left out; see Data."] if items else []


def workers(asked: int | None, device: str, threads: int) -> int:
    """Worker processes: by default as many as the cores have threads for, at most four; none on a GPU, which they would share."""
    if asked is not None:
        return asked
    return 0 if device != "cpu" else max(1, min(4, (os.cpu_count() or 1) // threads))
