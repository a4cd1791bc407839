"""Scores from scratch: every candidate is trained alone. The slow way, and the truth that the others approximate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from time import perf_counter
from typing import TYPE_CHECKING

from common.errors import UserError
from common.evaluate.base import Scores
from common.evaluate.wrappers import failed
from common.space import Arch
from common.streams import derive
from common.train.fit import TrainingDiverged
from common.train.phase import train_phase

if TYPE_CHECKING:
    from common.task import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class FromScratch:
    """An evaluator that builds, trains and measures each architecture as the task trains standalone networks.

    The fidelity is `full`, or the share of the training steps to do, `0.25` say (EcoNAS, Zhou et al. 2020, calls this the epoch
    factor). Where there are `others`, every training has all steps, the fidelity is the share of the tasks, at least one, and
    metrics are their means: repeated hold-out, raced as in F-Race (Birattari et al. 2002), where few data make one hold-out
    noise. A score is a function of architecture, seed and fidelity; all candidates share initial seeds and batches. A candidate
    whose training diverges has failed; the others go on.

    Attributes:
        task: gives networks, phases and metrics.
        others: the same task on other cuts of its data, which come after its own.
        seed: of weights and batches.
        device: where networks are trained.
        limit: validation items a network is measured on; None for all.
    """

    task: Task
    seed: int
    others: Sequence[Task] = ()
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
        steps = 1.0 if self.others else share
        tasks = (self.task, *self.others)
        count = max(1, round(share * len(tasks))) if self.others else 1
        try:
            found = [
                self._trained(task, arch, derive(self.seed, "cut", k) if k else self.seed, steps)
                for k, task in enumerate(tasks[:count])
            ]
        except TrainingDiverged as error:
            return failed(error, perf_counter() - start)
        values = {name: fmean(values[name] for values in found) for name in found[0]}
        return Scores(values=values, seconds=perf_counter() - start)

    def _trained(self, task: Task, arch: Arch, seed: int, share: float) -> dict[str, float]:
        network = task.network(arch, seed).to(self.device)
        for phase in task.phases("standalone"):
            train_phase(network, phase, seed=seed, share=share, measure=lambda: task.metrics(network, "val", self.limit))
        return task.metrics(network.eval(), "val", self.limit)


def _share(fidelity: str) -> float:
    try:
        share = 1.0 if fidelity == "full" else float(fidelity)
    except ValueError:
        share = 0.0
    if not 0.0 < share <= 1.0:
        raise UserError(f"fidelity {fidelity!r}: training from scratch takes 'full', or a share of the steps in (0, 1]")
    return share
