"""What runs in worker processes of a one-shot search: inherited scores of candidates."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from common.evaluate.inherited import Inherited
from common.oneshot.settings import SearchSettings
from common.oneshot.training import build_supernet
from common.run.checkpoint import load_weights
from common.stages.workers import TaskFactory, task_of

if TYPE_CHECKING:
    from common.evaluate.base import Evaluator
    from common.task import CalibratedTask


def make_inherited(factory: TaskFactory, weights: Path, settings: SearchSettings, device: str) -> Evaluator:
    """An evaluator over the supernet whose weights are in the file `weights`."""
    task = cast("CalibratedTask", task_of(factory))
    supernet = build_supernet(task, 0, device)
    load_weights(weights, supernet.module)
    return Inherited(
        task=task,
        supernet=supernet,
        calibration_batches=settings.calibration_batches,
        calibration_batch=settings.calibration_batch,
        limit=settings.images,
    )
