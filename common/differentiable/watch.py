"""What a differentiable search shows of itself while it runs, and when it ends early."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

from torch import Tensor

from common.arch import labels
from common.differentiable.deriving import SKIP, convolutions_of
from common.relax.monitor import Snapshot, StopRule, best_by_size, count, entropy, share
from common.relax.relaxation import Relaxation
from common.space import Arch
from common.train.step import Participant, Step


@dataclass(slots=True, kw_only=True)
class Watch(Participant):
    """Takes snapshots of the architecture, and ends the search where a rule says so.

    Attributes:
        relaxation: what is watched.
        rule: when the search ends early, if it may.
        derived: gives the architecture that would be derived now.
        count: snapshots, evenly spaced; the last is at the last step. As many as steps, where there are fewer.
        steps: of the search.
        begin: step from which the architecture learns; snapshots before it are not judged by the rule.
        score: gives how good the search network is on validation items, higher is better; None does not score it.
        history: the snapshots.
        looked: whether the latest step had a snapshot.
        observed: what it gives the report to plot.
    """

    name: ClassVar[str] = "snapshots"
    relaxation: Relaxation
    rule: StopRule | None
    derived: Callable[[], Arch]
    count: int
    steps: int
    begin: int = 0
    score: Callable[[], float] | None = None
    history: list[Snapshot] = field(default_factory=list)
    looked: bool = field(default=False, init=False)
    observed: dict[str, float] = field(default_factory=dict, init=False)
    _over: bool = field(default=False, init=False)

    def after(self, step: Step, values: Mapping[str, float]) -> None:
        """Adds a snapshot, if it is due."""
        self.observed, self.looked = {}, False
        if due_at(len(self.history) + 1, self.count, self.steps) != step.number + 1:
            return
        self.looked = True
        strengths = self.relaxation.labelled()
        derived = labels(self.relaxation.supernet.space, self.derived())
        score = None if self.score is None else self.score()
        self.history.append(Snapshot(strengths=strengths, derived=derived, score=score))
        self._judge()
        if strengths and all(abs(sum(options.values()) - 1) < 1e-3 for options in strengths.values()):
            self.observed["entropy"] = entropy(strengths).share
        if any(SKIP in options for options in strengths.values()):
            self.observed["skip_share"] = share(strengths, SKIP, without=("none",))

    def ended(self) -> bool:
        """Whether the stop rule says so; asked at every step, and only snapshots change it."""
        return self._over

    def by_size(self) -> dict[str, dict[str, Any]]:
        """The best snapshot of each number of convolutions: MiLeNAS (2003.12238) gives an architecture for every size."""
        convolutions = convolutions_of(self.relaxation.supernet.space)
        best = best_by_size(self.history, lambda derived: count(derived, convolutions))
        return {str(size): {"snapshot": b.epoch, "score": b.score, "arch": dict(b.derived)} for size, b in best.items()}

    def made(self) -> int:
        """Steps after which the search ended."""
        return due_at(len(self.history), self.count, self.steps) if self._over else self.steps

    def _judge(self) -> None:
        early = sum(due_at(n + 1, self.count, self.steps) <= self.begin for n in range(len(self.history)))
        self._over = self.rule is not None and self.rule.stops(self.history[early:])

    def state(self) -> Mapping[str, Any]:
        """The snapshots."""
        return {"history": [asdict(snapshot) for snapshot in self.history]}

    def load(self, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        """Goes on from a checkpoint."""
        self.history = [Snapshot(**row) for row in state["history"]]
        self._judge()


def due_at(number: int, count: int, steps: int) -> int:
    """Steps after which a snapshot is taken, its number counted from 1; beyond `steps` once there are no more.

    >>> tuple(due_at(number, 3, 10) for number in (1, 2, 3, 4))
    (4, 7, 10, 14)
    """
    return -(-number * steps // min(count, steps))
