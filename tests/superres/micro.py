"""The smallest HNAS run that goes through every stage, and how to run it: here, or in a child that is killed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from common.commands import run_commands
from superres.hnas.recipes import smoke
from superres.hnas.settings import Settings
from superres.hnas.system import SYSTEM
from superres.systems import SYSTEMS
from superres.task import SuperResTask
from superres.train import MORE
from tests.common.run import killing
from tests.common.run.killing import forked
from tests.common.run.rows import rows

_SETTINGS = """
data.patch=24 data.val=1 data.test=1 space.width=3 space.cells=2 weights.steps=4 weights.batch=2 search.engine.arch.every=2
search.engine.burst=2 search.trials=2 search.evaluation.calibration_batches=1 search.evaluation.calibration_batch=2
width=3 train.steps=3 train.batch=2 retrain.random_archs=1 retrain.seeds=1 pictures=1 save_every=1
"""
SETTINGS = _SETTINGS.split()
"""Of a run that takes seconds."""
STAGES = ["supernet and policy", "search", "random search", "drawing", "retrain", "export"]


def words(out: Path, *more: str, settings: Sequence[str] = (), workers: int = 0) -> list[str]:
    """The command line of a micro run; `more` may not end in a list of values, `settings` come after the run's own."""
    run = ["hnas", "--workers", str(workers), "--device", "cpu", "--quiet", "--out", str(out)]
    return [*run, *more, "--set", *SETTINGS, *settings]


def call(argv: Sequence[str]) -> None:
    """The train script in this process."""
    run_commands("python -m superres.train", SYSTEMS, argv, MORE)


def made(settings: Settings | None = None) -> SuperResTask:
    """The task of a run that has no folder: super-resolution leaves nothing in its weights."""
    task = SYSTEM.make(smoke() if settings is None else settings, Path("no weights"))
    assert isinstance(task, SuperResTask)
    return task


def results(path: Path) -> dict[str, Any]:
    """Everything a run computed, times and the export apart."""
    found: dict[str, Any] = {
        name: rows(path, name) for name in ("stages", "metrics", "trials", "random", "inherited", "retrained")
    }
    files = [path / name for name in ("drawing.svg", "best/model.safetensors")]
    for file in (*files, *path.glob("weights/*"), *path.glob("retrained/*.safetensors"), *path.glob("samples/*")):
        found[str(file.relative_to(path))] = file.read_bytes()
    return found


def kill_when(argv: Sequence[str], event: Callable[[], bool]) -> int:
    """Runs the script in a child and kills it with SIGKILL as soon as `event()`; its status."""
    return killing.kill_when(forked(lambda: call(argv)), event)
