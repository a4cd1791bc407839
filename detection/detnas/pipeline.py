"""A DetNAS run from images to a report (paper section 3; stages as in figure 2, retraining and comparison as in section 4)."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path

import torch

from common.arch import from_labels, save
from common.cost.extremes import check_budget
from common.errors import UserError
from common.evaluate.pool import LocalPool
from common.objective import Constraint
from common.oneshot.stages import Context, RandomBaseline, Retrain, Search, TrainSupernet, check_feasible, winner_row
from common.oneshot.workers import prepare, task_of
from common.run.checkpoint import load_weights, save_weights
from common.run.environment import environment
from common.run.files import write_json
from common.run.folder import RunFolder
from common.run.progress import Progress
from common.run.report import write_report
from common.run.stages import resume_command, run_stages
from common.script import RunOptions, device_named, next_folder, plain
from common.space import decode
from detection.detnas.settings import Settings
from detection.detnas.system import SYSTEM
from detection.export import export
from detection.mm import Detector
from detection.task import DetectionTask


def run(settings: Settings, options: RunOptions) -> Path:
    """Runs every stage that is not done yet and writes the report; prints its path.

    Args:
        settings: what to compute.
        options: where and how: output folder, resume, workers, device.

    Raises:
        UserError: the data, the budget or the output folder cannot be used.
    """
    device = device_named(options.device)
    torch.set_num_threads(settings.threads)
    if options.resume and options.out is None:
        raise UserError("--resume needs the folder to go on with; give --out")
    out = Path(options.out) if options.out else next_folder(f"detnas-{settings.recipe}")
    progress = Progress(quiet=options.quiet)
    progress.say(f"DetNAS, recipe {settings.recipe}, into {out}")
    factory = partial(DetectionTask, settings)
    task = task_of(factory)
    assert isinstance(task, DetectionTask)
    for note in (*task.data.notes, *(f"left out: {item}" for item in task.data.skipped)):
        progress.say(f"note: {note}")
    for metric, upper in settings.budget.items():
        price, name = task.prices[metric]
        check_budget(price, name, upper, metric)
    constraints = [Constraint(metric, upper=upper) for metric, upper in settings.budget.items()]
    check_feasible(task, constraints, settings.seed)
    config = _config(settings, task, options, device)
    open_folder = RunFolder.resume if options.resume else RunFolder.create
    pool = LocalPool(_workers(options.workers, device, settings.threads), settings.threads)
    with open_folder(out, config, task.space) as folder, pool:
        if not folder.done("retrain"):
            pool.warm(prepare, factory)  # workers import and read while this process trains the supernet
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
        run_stages(stages(settings, task), folder, progress, context, resume_command(out))
        report = write_report(out)
    print(report)
    return report


def stages(settings: Settings, task: DetectionTask) -> list[TrainSupernet | Search | RandomBaseline | Retrain | Best]:
    """The stages of a run, in order."""
    phases = task.phases("supernet")
    every = settings.save_every
    training = [TrainSupernet(name=f"supernet {phase.name}", index=i, save_every=every) for i, phase in enumerate(phases)]
    baseline = [RandomBaseline(settings=settings.search)] if settings.search.random_baseline else []
    return [
        *training,
        Search(settings=settings.search),
        *baseline,
        Retrain(settings=settings.retrain, search=settings.search, save_every=every),
        Best(pictures=settings.pictures),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """Leaves the winner in `best/`, ready to use, and sample predictions in `samples/`."""

    pictures: int
    name: str = "export"

    def run(self, context: Context) -> Mapping[str, object]:
        """Exports the searched network whose training reached the best validation score."""
        task, folder = context.task, context.folder.path
        row = winner_row(context.folder.log("retrained.jsonl").rows(), task)
        arch = from_labels(task.space, row["arch"], "retrained.jsonl")
        network = task.build(decode(task.space, arch), 0)
        load_weights(folder / "retrained" / f"{row['name']}-{row['seed']}.safetensors", network)
        network.eval()
        best = folder / "best"
        best.mkdir(exist_ok=True)
        with context.progress.stage(self.name, 3) as bar:
            save(best / "arch.json", task.space, arch)
            save_weights(best / "model.safetensors", network)
            write_json(best / "metrics.json", {key: row[key] for key in ("val", "test", "cost", "seed", "inherited")})
            bar.advance(1, note="weights")
            assert isinstance(task, DetectionTask) and isinstance(network, Detector)
            parity = export(network, task.data.canvas, task.data.classes, best)
            bar.advance(1, note=f"ONNX, largest difference {parity.max_abs_diff:.1e}")
            rows = task.pictures(network, folder / "samples", self.pictures)
            write_json(folder / "samples" / "samples.json", rows)
            bar.advance(1, note="pictures")
        return {"name": row["name"], "seed": row["seed"], "onnx_max_abs_diff": parity.max_abs_diff}


def _workers(asked: int | None, device: str, threads: int) -> int:
    """Worker processes: by default as many as the cores have threads for, at most four; none on a GPU, which they would share."""
    if asked is not None:
        return asked
    return 0 if device != "cpu" else max(1, min(4, (os.cpu_count() or 1) // threads))


def _config(settings: Settings, task: DetectionTask, options: RunOptions, device: str) -> dict[str, object]:
    left_out = len(task.data.skipped)
    skipped = [f"{left_out} damaged or unusable items of the data were left out; see Data."] if left_out else []
    objectives = [plain(objective) for objective in task.objectives]
    return {
        "system": SYSTEM.name,
        "title": SYSTEM.title,
        "paper": SYSTEM.paper,
        "task": "detection",
        "recipe": settings.recipe,
        "seed": settings.seed,
        "command": shlex.join(["python", *sys.orig_argv[1:]]),
        "settings": plain(settings),
        "objectives": objectives,
        "constraints": [{"metric": metric, "upper": upper} for metric, upper in settings.budget.items()],
        "data": task.data.describe(),
        "environment": {**environment(), "date": date.today().isoformat()},
        "workers": options.workers,
        "device": device,
        "notes": [*NOTES, *skipped],
    }


NOTES = [
    "Costs: params and macs are those of the whole detector at the run's image size, macs_backbone and "
    "macs_classifier those of the backbone at 224x224, alone and with the ImageNet classifier (convolutions and linear layers).",
    "Candidates are compared on the validation split with inherited weights; retrained networks on the test split, which "
    "no training and no choice has read, unless the data has none of its own; see Data.",
]
