"""The smallest DCNAS run that goes through every stage, and how to run it: here, in a child, and in a child that is killed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from common.commands import run_commands
from segmentation.dcnas.settings import Settings
from segmentation.dcnas.system import SYSTEM
from segmentation.systems import SYSTEMS
from segmentation.task import SegmentationTask
from tests.common.run import killing
from tests.common.run.killing import forked
from tests.common.run.rows import rows

_SETTINGS = """
data.train=12 data.val=6 data.test=6 data.crop=[32,32] data.size=64 pictures=2 save_every=1
space.width=4 weights.steps=4 weights.batch=2 search.engine.arch.begin=0.25 search.engine.snapshots=2 train.steps=3 train.batch=2
search.random_baseline=false head.channels=8 retrain.random_archs=1 retrain.seeds=1
"""
SETTINGS = _SETTINGS.split()
"""Of a run that takes seconds."""


def words(out: Path, *more: str, settings: Sequence[str] = SETTINGS, workers: int = 0) -> list[str]:
    """The command line of a micro run, from the system's name on; `more` may not end in a list of values."""
    return ["dcnas", "--workers", str(workers), "--quiet", "--out", str(out), *more, "--set", *settings]


def call(argv: Sequence[str]) -> None:
    """The train script in this process."""
    run_commands("python -m segmentation.train", SYSTEMS, argv)


def made(settings: Settings) -> SegmentationTask:
    """The task of a run that has no folder: segmentation leaves nothing in its weights."""
    task = SYSTEM.make(settings, Path("no weights"))
    assert isinstance(task, SegmentationTask)
    return task


def results(path: Path) -> dict[str, Any]:
    """Everything a run computed, the export apart; what its engine leaves differs."""
    found: dict[str, Any] = {name: rows(path, name) for name in ("stages", "metrics", "retrained")}
    files = [path / name for name in ("drawing.svg", "strengths.json", "snapshots.json", "best/model.safetensors")]
    for file in (
        *filter(Path.exists, files),
        *path.glob("weights/*"),
        *path.glob("retrained/*.safetensors"),
        *path.glob("samples/*"),
    ):
        found[str(file.relative_to(path))] = file.read_bytes()
    return found


def kill_when(argv: Sequence[str], event: Callable[[], bool]) -> int:
    """Runs the script in a child and kills it with SIGKILL as soon as `event()`; its status."""
    return killing.kill_when(forked(lambda: call(argv)), event)
