"""The winner, ready to use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from common.arch import from_labels, save
from common.errors import NotExported
from common.extras import MissingPackages
from common.run.checkpoint import load_weights, save_weights
from common.run.files import write_json
from common.stages.context import Context
from common.stages.retrain import winner_row

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from common.task import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """Leaves the winner in `best/`, ready to use, and sample predictions in `samples/`."""

    pictures: int
    name: str = "export"
    parallel: ClassVar[bool] = False

    def run(self, context: Context) -> Mapping[str, object]:
        """Exports the searched network whose training reached the best validation score."""
        task, folder = context.task, context.folder.path
        row = winner_row(context.folder.log("retrained.jsonl").rows(), task)
        arch = from_labels(task.space, row["arch"], "retrained.jsonl")
        network = task.network(arch, 0)
        load_weights(folder / "retrained" / f"{row['name']}-{row['seed']}.safetensors", network)
        network.eval()
        best = folder / "best"
        best.mkdir(exist_ok=True)
        with context.progress.stage(self.name, 3) as bar:
            save(best / "arch.json", task.space, arch)
            save_weights(best / "model.safetensors", network)
            write_json(best / "metrics.json", {key: row.get(key, {}) for key in ("val", "test", "cost", "seed", "inherited")})
            bar.advance(1, note="weights")
            exported = _exported(task, network, best)
            difference = exported.get("onnx_max_abs_diff")
            bar.advance(1, note="no ONNX file" if difference is None else f"ONNX, largest difference {difference:.1e}")
            rows = task.pictures(network, folder / "samples", self.pictures)
            write_json(folder / "samples" / "samples.json", rows)
            bar.advance(1, note="pictures")
        return {"name": row["name"], "seed": row["seed"], **exported}


def _exported(task: Task, network: nn.Module, folder: Path) -> dict[str, Any]:
    """What the stage's result says of the export: its largest difference, or a note where packages for it are missing."""
    try:
        return {"onnx_max_abs_diff": task.export(network, folder)}
    except NotExported as error:
        return {"note": f"best/ has no ONNX file: {error}"}
    except MissingPackages as error:  # the network is found and its weights are kept: the report must not be lost
        return {"note": f"best/ has no ONNX file: {error}, then `tasknas export RUN`, or Run(RUN).export() in Python"}
