"""What a GAN Compression run does besides a one-shot search: its teacher, the teacher's scores, and how much was saved."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import torch

from common.arch import from_labels
from common.cost.latency import measure
from common.errors import UserError
from common.run.checkpoint import load_weights, save_weights
from common.run.files import write_json
from common.space import decode
from common.stages.context import Context
from common.stages.training import train_shown
from common.streams import derive
from gan.compression.model import build

if TYPE_CHECKING:
    from gan.task import TranslationTask

PASSES = 30
"""Forward passes that are timed of each generator."""


def _task(context: Context) -> TranslationTask:
    return cast("TranslationTask", context.task)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainTeacher:
    """Trains the teacher, or takes another run's; leaves its weights and its discriminator's in `weights/`."""

    save_every: int = 200
    name: str = "teacher"

    def run(self, context: Context) -> Mapping[str, object]:
        """Trains."""
        task = _task(context)
        if task.settings.teacher.run is not None:
            return self._taken(task, Path(task.settings.teacher.run))
        phase = task.teacher_phase()
        network = task.teacher_network(derive(context.seed, "teacher")).to(context.device)
        seed = derive(context.seed, "teacher")
        last = train_shown(context, self.name, network, phase, seed=seed, save_every=self.save_every)
        task.weights.mkdir(exist_ok=True)
        save_weights(task.teacher_file, network if task.data.paired else network.there)  # pyright: ignore[reportArgumentType]
        return {"steps": phase.settings.steps, "last": last}

    def _taken(self, task: TranslationTask, run: Path) -> Mapping[str, object]:
        task.weights.mkdir(exist_ok=True)
        for file in (task.teacher_file, task.discriminator_file("teacher")):
            source = run / "weights" / file.name
            if not source.is_file():
                raise UserError(f"teacher.run={run}: it has no {source}; give the folder of a run that trained its teacher")
            shutil.copyfile(source, file)
        load_weights(task.teacher_file, build(task.teacher_net))  # refuses one of another width now, not after the search
        task.phases("supernet")[0].wrap(task.supernet(0), 0)
        return {"taken from": str(run)}


@dataclass(frozen=True, slots=True, kw_only=True)
class TeacherScores:
    """Measures the teacher as students are measured: a row of `retrained.jsonl`."""

    name: str = "teacher scores"

    def run(self, context: Context) -> Mapping[str, object]:
        """Measures on the validation and the test split."""
        task, log = _task(context), context.folder.log("retrained.jsonl")
        teacher = task.teacher(torch.device(context.device))
        with context.progress.stage(self.name, 2) as bar:
            val = task.metrics(teacher, "val")
            bar.advance(1)
            test = task.metrics(teacher, "test")
            bar.advance(1)
        if not any(row["name"] == "teacher" for row in log.rows()):
            row = {"name": "teacher", "kind": "reference", "seed": 0, "arch": {}, "inherited": {}, "seconds": 0.0}
            context.folder.append_retrained({**row, "val": val, "test": test, "cost": task.teacher_costs})
        return {"val": val, "test": test}


@dataclass(frozen=True, slots=True, kw_only=True)
class Savings:
    """How much smaller and quicker what was found is than its teacher; the time is measured on a CPU, a picture at a time."""

    name: str = "savings"

    def run(self, context: Context) -> Mapping[str, object]:
        """Counts and measures."""
        task = _task(context)
        arch = from_labels(task.space, context.folder.result("search")["arch"], "search result")
        side = task.settings.data.size
        picture = torch.zeros(1, 3, side, side)
        with context.progress.stage(self.name, 2) as bar:
            times = []
            for network in (task.teacher(torch.device("cpu")), build(decode(task.space, arch))):
                times.append(measure(network, (picture,), repeats=PASSES))
                bar.advance(1)
        found, theirs = task.costs(arch), task.teacher_costs
        slow, quick = (time.median_ms for time in times)
        ratios = {"macs": theirs["macs"] / found["macs"], "params": theirs["params"] / found["params"], "latency": slow / quick}
        tiles = [
            {"value": f"{ratios['macs']:.1f}x", "name": "fewer MACs", "of": f"than the teacher's {theirs['macs']:,}"},
            {"value": f"{ratios['latency']:.1f}x", "name": "quicker on a CPU", "of": f"{quick:.1f} ms instead of {slow:.1f} ms"},
            {"value": f"{ratios['params']:.1f}x", "name": "fewer parameters", "of": f"than the teacher's {theirs['params']:,}"},
        ]
        write_json(context.folder.path / "tiles.json", tiles)
        return {
            "teacher_ms": round(slow, 3),
            "compressed_ms": round(quick, 3),
            **{f"{name}_ratio": round(ratio, 3) for name, ratio in ratios.items()},
            "spread_ms": [round(time.iqr_ms, 3) for time in times],
            "conditions": times[0].conditions,
        }
