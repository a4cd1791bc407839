"""The smallest DetNAS run that goes through every stage, and how to run it: here, in a child, and in a child that is killed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from common.commands import run_commands
from detection.detnas.settings import Settings
from detection.detnas.system import SYSTEM
from detection.systems import SYSTEMS
from detection.task import DetectionTask
from tests.common.run import killing
from tests.common.run.killing import forked
from tests.common.run.rows import rows

_SETTINGS = """
data.train=48 data.val=24 data.test=24 pictures=2 save_every=1
warm_up.steps=2 warm_up.batch=8 pretrain.steps=2 pretrain.batch=8 detect.steps=4 detect.batch=8
retrain_pretrain.steps=2 retrain_pretrain.batch=8 retrain_detect.steps=4 retrain_detect.batch=8
search.trials=6 search.engine.population=3 search.engine.mutants=1 search.engine.crossovers=1 search.engine.parents=2
search.evaluation.images=16 search.evaluation.calibration_batches=1 search.evaluation.calibration_batch=8
retrain.random_archs=1 retrain.seeds=1
"""
SETTINGS = _SETTINGS.split()
"""Of a run that takes seconds."""

RESULTS = ("trials", "random", "metrics", "inherited", "retrained")
"""Files of rows."""


def words(out: Path, *more: str, settings: Sequence[str] = SETTINGS, workers: int = 0) -> list[str]:
    """The command line of a micro run, from the system's name on; `more` may not end in a list of values."""
    return ["detnas", "--workers", str(workers), "--quiet", "--out", str(out), *more, "--set", *settings]


def call(argv: Sequence[str]) -> None:
    """The train script in this process."""
    run_commands("python -m detection.train", SYSTEMS, argv)


def made(settings: Settings) -> DetectionTask:
    """The task of a run that has no folder: detection leaves nothing in its weights."""
    task = SYSTEM.make(settings, Path("no weights"))
    assert isinstance(task, DetectionTask)
    return task


def results(path: Path) -> dict[str, Any]:
    """Everything a run computed; what its engine leaves differs."""
    found: dict[str, Any] = {name: rows(path, name) for name in ("stages", *RESULTS) if (path / f"{name}.jsonl").exists()}
    for file in (*path.glob("weights/*"), *path.glob("retrained/*.safetensors"), *path.glob("samples/*"), *path.glob("best/*")):
        found[f"{file.parent.name}/{file.name}"] = file.read_bytes()
    return found


def kill_when(argv: Sequence[str], event: Callable[[], bool]) -> int:
    """Runs the script in a child and kills it with SIGKILL as soon as `event()`; its status."""
    return killing.kill_when(forked(lambda: call(argv)), event)
