"""Random search: the baseline every other searcher has to beat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from common.objective import Objective
from common.search.base import Canonical, Feasible, Proposal, Trial, Unseen
from common.streams import stream


@dataclass(slots=True)
class RandomSearch:
    """Random architectures without replacement (Li and Talwalkar 2019, https://arxiv.org/abs/1902.07638).

    Proposal i is a function of the seed, i and the architectures before it; scores do not matter, so it never waits.

    Attributes:
        space: The description with open decisions.
        objectives: What the trials are compared by.
        seed: Of all draws.
        feasible: The hard constraint.
        rule: The constraint in words, for errors.
        canonical: Architectures for which this is equal count as one and are evaluated once.
    """

    space: Any
    objectives: Sequence[Objective]
    seed: int = field(default=0, kw_only=True)
    feasible: Feasible | None = field(default=None, kw_only=True)
    rule: str = field(default="", kw_only=True)
    canonical: Canonical | None = field(default=None, kw_only=True)
    _unseen: Unseen = field(init=False)

    def __post_init__(self) -> None:
        self._unseen = Unseen(self.space, self.feasible, self.rule, self.canonical)

    def ask(self, n: int) -> list[Proposal]:
        """See `Searcher.ask`."""
        batch: list[Proposal] = []
        while len(batch) < n:
            arch = self._unseen.draw(stream(self.seed, "random", len(self._unseen)))
            if arch is None:
                break
            batch.append(Proposal(arch=arch))
        return batch

    def tell(self, trials: Sequence[Trial]) -> None:
        """See `Searcher.tell`."""
        for trial in trials:
            self._unseen.add(trial.arch)
