"""The smallest GAN Compression run that goes through every stage, and how to run it: here, or in a child that is killed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from common.commands import run_commands
from common.stages.settings import PathPhaseSettings, PhaseSettings, RetrainSettings
from gan.compression.recipes import smoke
from gan.compression.settings import Settings
from gan.compression.system import SYSTEM
from gan.compression.task import CompressionTask
from gan.settings import DataSettings
from gan.systems import SYSTEMS
from gan.train import MORE
from tests.common.run.killing import forked
from tests.common.run.rows import rows

_SETTINGS = """
data.embedded=photographs data.size=24 data.load=28 data.flip=true data.train=12 data.val=4 data.test=4 teacher.width=12
train_teacher.steps=4 train_teacher.batch=2 distil.steps=3 distil.batch=2 supernet.steps=4 supernet.batch=2
finetune.steps=2 finetune.batch=2 search.trials=6 search.engine.population=3 search.engine.mutants=1 search.engine.crossovers=1
search.engine.parents=2
retrain.random_archs=1 retrain.seeds=1 paired.discriminator=4 unpaired.discriminator=4 unpaired.pool=3 pictures=2 save_every=2
"""
SETTINGS = [*_SETTINGS.split(), 'budget={"macs":3400000}']
"""Of a run that takes seconds. The widest generator of one width within the budget has 8."""
UNPAIRED = ["data.embedded=textures", "distil.steps=0", "teacher.mobile=false"]
"""Changes it to the fast pipeline without pairs."""
STAGES = ["teacher", "distil", "supernet", "search", "random search", "teacher scores", "retrain", "savings", "export"]
NAMES = ["teacher", "searched", "random 1", "baseline", "width 4", "student without distillation"]
"""Of the rows of `retrained.jsonl`."""


def words(out: Path, *more: str, settings: Sequence[str] = (), workers: int = 0) -> list[str]:
    """The command line of a micro run; `more` may not end in a list of values, `settings` come after the run's own."""
    run = ["gan-compression", "--workers", str(workers), "--device", "cpu", "--quiet", "--out", str(out)]
    return [*run, *more, "--set", *SETTINGS, *settings]


def call(argv: Sequence[str]) -> None:
    """The train script in this process."""
    run_commands("python -m gan.train", SYSTEMS, argv, MORE)


def child(argv: Sequence[str], before: Callable[[], object]) -> int:
    """The id of a child process that does `before` and then runs the train script."""

    def work() -> None:
        before()
        call(argv)

    return forked(work)


def tiny(**changes: Any) -> Settings:
    """The settings of a micro run."""
    s = smoke()

    def short(phase: Any) -> Any:
        return replace(phase, steps=2, batch=2)

    phases: dict[str, PhaseSettings | PathPhaseSettings] = {
        name: short(getattr(s, name)) for name in ("train_teacher", "distil", "supernet", "finetune")
    }
    data = DataSettings(embedded="photographs", size=24, load=28, train=12, val=4, test=4)
    s = replace(
        s,
        data=data,
        teacher=replace(s.teacher, width=12),
        paired=replace(s.paired, discriminator=4),
        unpaired=replace(s.unpaired, discriminator=4, pool=3),
        retrain=RetrainSettings(random_archs=1, seeds=1),
        budget={"macs": 3.4e6},
        **phases,  # pyright: ignore[reportArgumentType]
    )
    return replace(s, **changes)


def task_of(settings: Settings, weights: Path) -> CompressionTask:
    """The task of a run with these settings."""
    made = SYSTEM.make(settings, weights)
    assert isinstance(made, CompressionTask)
    return made


def results(path: Path) -> dict[str, Any]:
    """Everything a run computed, times and the export apart."""
    found: dict[str, Any] = {name: rows(path, name) for name in ("metrics", "trials", "random", "inherited", "retrained")}
    timed = ("savings", "export")
    found["stages"] = [{**row, "result": {}} if row["stage"] in timed else row for row in rows(path, "stages")]
    files = (*path.glob("weights/*"), *path.glob("retrained/*.safetensors"), *path.glob("samples/*"))
    for file in (*files, path / "best" / "model.safetensors"):
        found[str(file.relative_to(path))] = file.read_bytes()
    return found
