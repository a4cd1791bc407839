"""Every architecture of a small space, in random order: a search that is stopped has seen a fair sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from common.errors import UserError
from common.search.base import Proposal, SpaceSearcher, Trial, Unseen
from common.space import Arch, enumerate_all, size
from common.streams import stream

MOST = 100_000
"""Architectures of the largest space that is gone through."""


@dataclass(slots=True)
class Exhaustive(SpaceSearcher):
    """All feasible architectures, once each: how GAN Compression searches its small spaces (2003.08936, section 3.3).

    Scores do not matter, so it never waits. Its length is the number of feasible architectures.

    Raises:
        UserError: the space has more than `MOST` architectures, or none of them is feasible.
    """

    _all: list[Arch] = field(init=False)
    _unseen: Unseen = field(init=False)
    _next: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        try:
            n = size(self.space, MOST)
        except UserError as many:  # a rule spans more than can be counted
            raise UserError(f"{many}; more than {MOST:,} are not gone through; search by evolution") from None
        if n > MOST:
            raise UserError(f"the space has {n:,} architectures: more than {MOST:,} are not gone through; search by evolution")
        own = self.unseen()
        self._all = [arch for arch in enumerate_all(self.space) if own.take(arch)]
        if not self._all:
            rule = f"the constraint {self.rule!r}" if self.rule else "the hard constraint"
            raise UserError(f"{rule} is kept by no architecture of the space: loosen it")
        stream(self.seed, "exhaustive").shuffle(self._all)
        self._unseen = self.unseen()

    def __len__(self) -> int:
        return len(self._all)

    def ask(self, n: int) -> list[Proposal]:
        """See `Searcher.ask`."""
        batch: list[Proposal] = []
        while len(batch) < n and self._next < len(self._all):
            arch = self._all[self._next]
            self._next += 1
            if self._unseen.take(arch):
                batch.append(Proposal(arch=arch))
        return batch

    def tell(self, trials: Sequence[Trial]) -> None:
        """See `Searcher.tell`."""
        for trial in trials:
            self._unseen.add(trial.arch)
