"""The stages of a GAN Compression run (paper, figure 3): a search between the teacher's training and the measured savings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, ClassVar, cast

import torch

from common.cost.latency import Latency, measure, measure_onnx
from common.errors import UserError
from common.export import export_onnx
from common.extras import missing, missing_packages
from common.run.checkpoint import load_weights, save_weights
from common.run.digests import read_with_digest, write_with_digest
from common.run.files import write_json
from common.stages.best import Best
from common.stages.context import Context, Named
from common.stages.standard import Stages, retrain_of, retrain_stages, search_stages
from common.stages.training import train_shown
from common.streams import derive
from gan.compression.model import build
from gan.compression.settings import Settings
from gan.export import waves
from gan.settings import score_notes

if TYPE_CHECKING:
    from gan.compression.settings import Settings
    from gan.compression.task import CompressionTask

PASSES = 30
"""Forward passes that are timed of each generator."""


def stages(task: CompressionTask) -> Stages:
    """The stages of a run, in order; a supernet is trained if the search inherits its weights."""
    s: Settings = task.settings
    before, search = search_stages(task, prefix="")
    steps = s.finetune.steps + (s.supernet.steps if s.inherits else 0)
    words = (f"{'paired' if task.data.paired else 'unpaired'}.distil=0", f"finetune.steps={steps}")
    retrain = replace(
        retrain_of(task, search),
        start=_trained_supernet if s.inherits else None,
        otherwise={"student without distillation": words} if s.without_distillation else {},
    )
    ends: Stages = [Savings(search=search), Best(pictures=s.pictures)]
    return [TrainTeacher(), *before, TeacherScores(), *retrain_stages(task, retrain), *ends]


def _trained_supernet(context: Context) -> Path:
    return context.weights(context.task.phases("supernet")[-1].name)


def check_taken(task: CompressionTask) -> None:
    """Refuses another run's teacher that is not there, unless it was taken already.

    Raises:
        UserError: names the file that is missing or is not what its digest says.
    """
    run = task.settings.teacher.run
    if run is None or task.teacher_file.exists():
        return
    for file in (task.teacher_file, task.discriminator_file("teacher")):
        if not (source := Path(run) / "weights" / file.name).is_file():
            raise UserError(f"teacher.run={run}: it has no {source}; give the folder of a run that trained its teacher")
        read_with_digest(source)


def _task(context: Context) -> CompressionTask:
    return cast("CompressionTask", context.task)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainTeacher:
    """Trains the teacher, or takes another run's; leaves its weights and its discriminator's in `weights/`."""

    name: str = "teacher"
    parallel: ClassVar[bool] = False

    def run(self, context: Context) -> Mapping[str, object]:
        """Trains."""
        task = _task(context)
        if task.settings.teacher.run is not None:
            return self._taken(task, Path(task.settings.teacher.run))
        phase = task.teacher_phase()
        network = task.teacher_network(derive(context.seed, "teacher")).to(context.device)
        seed = derive(context.seed, "teacher")
        last = train_shown(context, self.name, network, phase, seed=seed, save_every=context.save_every)
        task.weights.mkdir(exist_ok=True)
        save_weights(task.teacher_file, network if task.data.paired else network.there)  # pyright: ignore[reportArgumentType]
        return {"steps": phase.settings.steps, "last": last}

    def _taken(self, task: CompressionTask, run: Path) -> Mapping[str, object]:
        task.weights.mkdir(exist_ok=True)
        for file in (task.discriminator_file("teacher"), task.teacher_file):  # the last one says that both are there
            write_with_digest(file, read_with_digest(run / "weights" / file.name))
        load_weights(task.teacher_file, build(task.teacher_net))  # refuses one of another width now, not after the search
        first, *_ = *task.phases("supernet"), *task.phases("standalone")
        first.wrap(task.supernet(0), 0)
        return {"taken from": str(run)}


@dataclass(frozen=True, slots=True, kw_only=True)
class TeacherScores:
    """Measures the teacher as students are measured: a row of `retrained.jsonl`."""

    name: str = "teacher scores"
    parallel: ClassVar[bool] = False

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
    """How much smaller and quicker what was found is than its teacher.

    Times are of a picture at a time on one thread of a CPU, in torch and, exported, in onnxruntime; in torch alone where the
    packages of the export are missing.
    """

    search: Named
    """Stage whose architecture is compared with the teacher."""
    name: str = "savings"
    parallel: ClassVar[bool] = False

    def run(self, context: Context) -> Mapping[str, object]:
        """Counts and measures."""
        task = _task(context)
        arch = context.found(self.search)
        picture = waves(task.settings.data.size)
        absent = missing("export")
        timed: dict[str, list[Latency]] = {"torch": []} if absent else {"torch": [], "exported": []}
        with context.progress.stage(self.name, 2) as bar, TemporaryDirectory() as scratch:
            for network in (task.teacher(torch.device("cpu")), task.network(arch, 0)):
                timed["torch"].append(measure(network, (picture,), repeats=PASSES))
                if not absent:
                    file = Path(scratch) / "model.onnx"
                    export_onnx(network, (picture,), file)
                    timed["exported"].append(measure_onnx(file, (picture,), repeats=PASSES))
                bar.advance(1)
        found, theirs = task.costs(arch), task.teacher_costs
        ratios = {name: theirs[name] / found[name] for name in ("macs", "params")}
        quicker = {name: slow.median_ms / quick.median_ms for name, (slow, quick) in timed.items()}
        write_json(context.folder.path / "tiles.json", _tiles(ratios, quicker, timed, theirs))
        return {
            **{f"{name}_ratio": round(ratio, 3) for name, ratio in ratios.items()},
            **{f"latency_ratio_{name}": round(ratio, 3) for name, ratio in quicker.items()},
            **{f"{name}_ms": [round(time.median_ms, 3) for time in times] for name, times in timed.items()},
            **{f"{name}_spread_ms": [round(time.iqr_ms, 3) for time in times] for name, times in timed.items()},
            "conditions": {name: slow.conditions for name, (slow, _) in timed.items()},
            **({"note": f"Times are those in PyTorch: {missing_packages('export', absent)}"} if absent else {}),
        }


def _tiles(
    ratios: Mapping[str, float], quicker: Mapping[str, float], timed: Mapping[str, list[Latency]], teacher: Mapping[str, int]
) -> list[dict[str, str]]:
    """What the head of the report says of the saving."""
    way = "exported" if "exported" in timed else "torch"
    slow, quick = timed[way]
    also = f"exported; in PyTorch {quicker['torch']:.1f}x" if way == "exported" else "in PyTorch"
    return [
        {"value": f"{ratios['macs']:.1f}x", "name": "fewer MACs", "of": f"than the teacher's {teacher['macs']:,}"},
        {"value": f"{ratios['params']:.1f}x", "name": "fewer parameters", "of": f"than the teacher's {teacher['params']:,}"},
        {
            "value": f"{quicker[way]:.1f}x",
            "name": "quicker on a CPU",
            "of": f"{quick.median_ms:.1f} ms instead of {slow.median_ms:.1f}, {also}",
        },
    ]


def notes(settings: Settings) -> list[str]:
    """What a reader of the report must know."""
    if settings.inherits:
        way = (
            "Candidates are evaluated with the supernet's weights. Networks that are retrained begin with their part of these "
            "weights and are fine-tuned."
        )
        alone = "trained from new weights, for as many steps as supernet and fine-tuning together"
    else:
        way = (
            "No supernet is trained, because the search inherits no weights. Every network that is trained alone begins with new "
            "weights, plays against the teacher's discriminator first, and is trained for finetune.steps steps."
        )
        alone = "trained for as many steps as the others"
    return [
        *score_notes(settings),
        "macs are counted as in the paper: transposed convolutions by their output, which is four times what they compute, and "
        "one for each output of an instance normalisation, for one picture of the run's size.",
        way,
        "baseline, width N: generators of one width everywhere (baseline: the widest that keeps the budget). The student without "
        f"distillation is the found one, {alone}, without its teacher's maps.",
    ]
