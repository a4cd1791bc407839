"""A finished run of any system without its training: a fresh network in the place of a trained one, all else as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from common.arch import labels, save
from common.options import RunOptions, settings_of
from common.run.checkpoint import save_weights
from common.run.files import write_json
from common.run.stages import Stage
from common.stages.context import Context
from common.stages.reload import reload
from common.stages.run import run
from common.system import System
from tests.classification import micro as classification
from tests.detection import micro as detection
from tests.gan import micro as gan
from tests.segmentation import micro as segmentation
from tests.superres import micro as superres

SMALLER: Mapping[str, Sequence[str]] = {
    "darts": classification.SETTINGS,
    "dcnas": [*segmentation.SETTINGS, "space.inputs=2"],
    "detnas": detection.SETTINGS,
    "gan-compression": gan.SETTINGS,
    "hnas": superres.SETTINGS,
}
"""System -> settings of the micro runs of its task; a system without an entry is tried as it is."""


@dataclass(frozen=True, slots=True)
class Untrained:
    """Leaves what the stages retrain and export would, without ONNX file and pictures: the baseline, as it begins."""

    name: str = "export"
    parallel: ClassVar[bool] = False

    def run(self, context: Context) -> Mapping[str, object]:
        """Writes the network's row, its weights and `best/`."""
        task, path = context.task, context.folder.path
        score = {task.objectives[0].name: 0.5}
        row = {"seed": 0, "cost": dict(task.costs(task.baseline)), "val": score, "test": score, "inherited": {}}
        arch = labels(task.space, task.baseline)
        context.folder.append_retrained({"name": "searched", "kind": "searched", "arch": arch, "seconds": 0.0, **row})
        network = task.network(task.baseline, 0)
        for file in (path / "retrained" / "searched-0.safetensors", path / "best" / "model.safetensors"):
            file.parent.mkdir()
            save_weights(file, network)
        save(path / "best" / "arch.json", task.space, task.baseline)
        write_json(path / "best" / "metrics.json", row)
        return {"name": "searched", "seed": 0}


def untrained(task: Any) -> Sequence[Stage[Context]]:
    """The stages of a run that trains nothing."""
    return [Untrained()]


def finished(system: System, folder: Path, *more: str, name: str = "") -> Path:
    """The folder of such a run, by the recipe smoke of a method, made smaller where `SMALLER` says how.

    `more` are further settings, `name` is that of the method, by default the system's first one.
    """
    method = replace(system.method(name or system.methods[0].name), stages=untrained)
    options = RunOptions(out=str(folder), workers=0, quiet=True, device="cpu", set=(*SMALLER.get(system.name, ()), *more))
    run(system, method, settings_of(method.recipes, options), options)
    return folder


def item(run: Path, folder: Path) -> Path:
    """A file that `predict` takes for a run: a picture, or a graph of six nodes."""
    facts: Any = reload(run).facts
    if facts.words[0] == "graph":
        x, edges = facts.example()
        np.savez(folder / "item.npz", x=x.numpy(), edge_index=edges.numpy())
        return folder / "item.npz"
    pixels = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "item.png")
    return folder / "item.png"
