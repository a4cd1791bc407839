"""Scores from scratch: every candidate is trained alone. The slow way, and the truth that the others approximate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

from common.errors import UserError
from common.evaluate.base import Scores
from common.evaluate.wrappers import failed
from common.space import Arch
from common.train.fit import TrainingDiverged
from common.train.phase import train_phase

if TYPE_CHECKING:
    from common.task import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class FromScratch:
    """An evaluator that builds, trains and measures each architecture as the task trains standalone networks.

    The fidelity is `full`, or the share of the training steps to do, `0.25` say (EcoNAS, Zhou et al. 2020, calls this the epoch
    factor). A score is a function of architecture, seed and fidelity; all candidates share initial seed and batches. A candidate
    whose training diverges has failed; the others go on.

    Attributes:
        task: gives networks, phases and metrics.
        seed: of weights and batches.
        device: where networks are trained.
        limit: validation items a network is measured on; None for all.
    """

    task: Task
    seed: int
    device: str = "cpu"
    limit: int | None = None

    def __call__(self, archs: Sequence[Arch], fidelity: str) -> list[Scores]:
        """One `Scores` per architecture, in order.

        Raises:
            UserError: the fidelity is neither `full` nor a share in (0, 1].
        """
        share = _share(fidelity)
        return [self._score(arch, share) for arch in archs]

    def _score(self, arch: Arch, share: float) -> Scores:
        start = perf_counter()
        network = self.task.network(arch, self.seed).to(self.device)
        try:
            for phase in self.task.phases("standalone"):
                train_phase(
                    network, phase, seed=self.seed, share=share, measure=lambda: self.task.metrics(network, "val", self.limit)
                )
        except TrainingDiverged as error:
            return failed(error, perf_counter() - start)
        values = self.task.metrics(network.eval(), "val", self.limit)
        return Scores(values=values, seconds=perf_counter() - start)


def _share(fidelity: str) -> float:
    try:
        share = 1.0 if fidelity == "full" else float(fidelity)
    except ValueError:
        share = 0.0
    if not 0.0 < share <= 1.0:
        raise UserError(f"fidelity {fidelity!r}: training from scratch takes 'full', or a share of the steps in (0, 1]")
    return share
