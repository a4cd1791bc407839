"""Scores with inherited weights: activate a path, re-estimate its BatchNorm statistics, measure, put everything back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

from common.evaluate.base import Scores
from common.space import Arch
from common.supernet import Supernet, kept_statistics, recalibrate

if TYPE_CHECKING:
    from common.task import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Inherited:
    """An evaluator over the paths of a trained supernet (DetNAS section 3.3).

    A score is a function of the architecture alone: the calibration batches are always the same, and the statistics of one
    candidate never reach the next.

    Attributes:
        task: its calibration and metrics are used.
        supernet: trained.
        calibration_batches: training batches behind the statistics; 0 keeps the supernet's own.
        calibration_batch: items in each.
        limit: validation items; None for all.
    """

    task: Task
    supernet: Supernet
    calibration_batches: int
    calibration_batch: int
    limit: int | None = None

    def __call__(self, archs: Sequence[Arch], fidelity: str) -> list[Scores]:
        """One `Scores` per architecture, in order."""
        return [self._score(arch) for arch in archs]

    def _score(self, arch: Arch) -> Scores:
        start = perf_counter()
        network = self.supernet.module
        with kept_statistics(network):
            self.supernet.activate(arch)
            calibration = self.task.calibration
            if self.calibration_batches and calibration is not None:
                batches = calibration.batches(self.calibration_batches, self.calibration_batch)
                recalibrate(network, batches, calibration.forward)
            network.eval()
            values = self.task.metrics(network, "val", self.limit)
        return Scores(values=values, seconds=perf_counter() - start)
