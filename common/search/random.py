"""Random search: the baseline every other searcher has to beat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from common.search.base import Proposal, SpaceSearcher, Trial, Unseen
from common.streams import stream


@dataclass(slots=True)
class RandomSearch(SpaceSearcher):
    """Random architectures without replacement (Li and Talwalkar 2019, https://arxiv.org/abs/1902.07638).

    Proposal i is a function of the seed, i and the architectures before it; scores do not matter, so it never waits.
    """

    _unseen: Unseen = field(init=False)

    def __post_init__(self) -> None:
        self._unseen = self.unseen()

    def ask(self, n: int) -> list[Proposal]:
        """See `Searcher.ask`."""
        batch: list[Proposal] = []
        while len(batch) < n:
            arch = self._unseen.sample(stream(self.seed, "random", len(self._unseen)))
            if arch is None:
                break
            batch.append(Proposal(arch=arch))
        return batch

    def tell(self, trials: Sequence[Trial]) -> None:
        """See `Searcher.tell`."""
        for trial in trials:
            self._unseen.add(trial.arch)
