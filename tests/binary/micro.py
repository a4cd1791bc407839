"""The smallest runs with a teacher that go through every stage, and how to run them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from binary.systems import SYSTEMS
from common.commands import run_commands
from tests.common.run.killing import forked
from tests.common.run.rows import rows

TEACHER = ["distil.weight=0.5", "distil.teacher.steps=5", "distil.teacher.batch=8"]
_SETTINGS = """
data.size=8 pictures=2 save_every=2 weights.steps=4 weights.batch=8 activations.steps=4 activations.batch=8 train.steps=6
train.batch=8 search.trials=2 search.random_baseline=false retrain.random_archs=1 retrain.seeds=1
"""
_OWN = {
    "binary-width": ["space.base=[8,8]", "search.engine.population=2", "search.evaluation.fidelity=0.5"],
    "binary-groups": [
        *('space.blocks=[{"width":8,"stride":1},{"width":16,"stride":2}]', "budget={}", "retrain.hand_made=true"),
        *(f"search.engine.{word}" for word in ("population=2", "mutants=1", "crossovers=1", "parents=1")),
        *("search.evaluation.calibration_batches=1", "search.evaluation.calibration_batch=8"),
    ],
}


def words(out: Path, *more: str, method: str, workers: int = 0) -> list[str]:
    """The command line of a micro run; `more` may not end in a list of values."""
    run = ["--workers", str(workers), "--quiet", "--device", "cpu", "--out", str(out)]
    return [method, *run, *more, "--set", *_SETTINGS.split(), *_OWN[method], *TEACHER]


def call(argv: list[str]) -> None:
    """The train script in this process."""
    run_commands("python -m binary.train", SYSTEMS, argv)


def child(argv: list[str], before: Callable[[], object]) -> int:
    """The id of a child process that does `before` and then runs the train script."""

    def work() -> None:
        before()
        call(argv)

    return forked(work)


def results(path: Path) -> dict[str, Any]:
    """Everything a run computed, wall-clock seconds and the export apart."""
    names = [file.stem for file in path.glob("*.jsonl") if file.stem != "sessions"]
    found: dict[str, Any] = {name: rows(path, name) for name in names}
    found["stages"] = [{**row, "result": {}} if row["stage"] == "export" else row for row in found["stages"]]
    for file in (*path.glob("weights/*"), *path.glob("retrained/*.safetensors"), *path.glob("best/*.safetensors")):
        found[str(file.relative_to(path))] = file.read_bytes()
    return found
