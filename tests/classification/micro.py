"""The smallest search that goes through every stage, and how to run it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from classification.darts.recipes import RECIPES
from classification.darts.settings import NetworkSettings, Settings
from classification.darts.spaces import SpaceSettings
from classification.darts.system import SYSTEM
from classification.systems import SYSTEMS
from classification.task import ClassificationTask
from common.commands import run_commands
from tests.common.run.rows import rows

SETTINGS = [
    *("data.size=8", "space.nodes=1", "space.width=8", "network.width=2", "pictures=2", "save_every=2"),
    *("weights.steps=6", "weights.batch=8", "search.engine.snapshots=3", "search.random_baseline=false"),
    *("train.steps=4", "train.batch=8", "retrain.random_archs=1", "retrain.seeds=1"),
]
"""Of a run that takes seconds."""


def words(out: Path, *more: str, method: str = "darts", settings: Sequence[str] = SETTINGS) -> list[str]:
    """The command line of a micro run; `more` may not end in a list of values."""
    return [method, "--workers", "0", "--quiet", "--out", str(out), *more, "--set", *settings]


def call(argv: Sequence[str]) -> None:
    """The train script in this process."""
    run_commands("python -m classification.train", SYSTEMS, argv)


def tiny(method: str = "darts", **changes: Any) -> Settings:
    """The smoke settings on the smallest networks and images."""
    s = RECIPES[method]["smoke"]()
    s = replace(
        s,
        data=replace(s.data, size=8),
        space=SpaceSettings(nodes=1, width=8, cells=3, partial=s.space.partial),
        network=NetworkSettings(width=4, cells=3, drop_path=0.0, auxiliary=0.0, cutout=0),
        weights=replace(s.weights, steps=2, batch=8),
        train=replace(s.train, steps=2, batch=8),
    )
    return replace(s, **changes)


def made(settings: Settings) -> ClassificationTask:
    """The task of a run that has no folder: classification leaves nothing in its weights."""
    task = SYSTEM.make(settings, Path("no weights"))
    assert isinstance(task, ClassificationTask)
    return task


def results(path: Path) -> dict[str, Any]:
    """Everything a run computed, wall-clock seconds and the export apart."""
    found: dict[str, Any] = {name: rows(path, name) for name in ("stages", "metrics", "retrained")}
    files = (*path.glob("weights/*"), *path.glob("retrained/*.safetensors"), *path.glob("samples/*"), path / "drawing.svg")
    for file in files:
        found[f"{file.parent.name if file.parent != path else ''}/{file.name}"] = file.read_bytes()
    return found
