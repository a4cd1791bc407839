"""Splits a searcher's proposals into generations and batches. A new searcher implements only how one generation is made."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from common.errors import UserError
from common.search.base import Proposal, SpaceSearcher, Trial, Unseen
from common.space import Arch
from common.streams import stream

Make = Callable[[int, int, Random], list[Proposal]]
"""`make(start, n, rng)` returns up to `n` proposals, each taken from `Unseen`; it may read no trials but `told[:start]`."""

TRIES = 10
"""Calls of `child` per child wanted; random architectures replace children that are still missing (DetNAS, SPOS)."""


def breed(unseen: Unseen, n: int, child: Callable[[], Proposal]) -> list[Proposal]:
    """Returns up to `n` new feasible children and marks them as seen.

    Args:
        unseen: decides which children are new and feasible.
        n: number of children wanted.
        child: makes one child, say by mutation. It is called at most `TRIES * n` times, and never again after a `UserError`.
    """
    born: list[Proposal] = []
    for _ in range(TRIES * n):
        if len(born) == n:
            break
        try:
            proposal = child()
        except UserError:  # no move is possible, or a `Where` rule forbids all moves: random architectures fill up
            break
        if unseen.take(proposal.arch):
            born.append(proposal)
    return born


@dataclass(slots=True)
class Generations:
    """The trials told, the pending proposals and the generation in progress.

    Attributes:
        unseen: The architectures seen; shared with the searcher's `make`.
        name: Name of the searcher's random streams. Each generation has one: (seed, name, number of trials before it).
        seed: Seed of all random streams.
        size: `size(start)` is the size of the generation after the first `start` trials, a function of these trials alone.
        told: The trials, in the order told.
    """

    unseen: Unseen
    name: str
    seed: int
    size: Callable[[int], int]
    told: list[Trial] = field(default_factory=list, init=False)
    _start: int = field(default=0, init=False)  # number of trials before the generation in progress
    _begun: int = field(default=-1, init=False)  # the last start for which `make` was called
    _queue: deque[Proposal] = field(default_factory=deque, init=False)
    _pending: set[tuple[Arch, str]] = field(default_factory=set, init=False)
    _marked: int = field(default=0, init=False)  # number of trials whose architectures are marked in `unseen`

    def tell(self, trials: Sequence[Trial]) -> None:
        """Adds evaluated trials. Trials that were never proposed are a history that is replayed."""
        self.told.extend(trials)
        told = _told(trials)
        self._pending -= told
        if self._queue:  # a trial that was not asked for may answer a queued proposal
            self._queue = deque(proposal for proposal in self._queue if _key(proposal) not in told)

    def ask(self, n: int, make: Make) -> list[Proposal]:
        """Returns up to `n` proposals of the generation in progress, or of the next one: see `Searcher.ask`."""
        if not self._queue and not self._pending:
            self._begin(make)
        batch = [self._queue.popleft() for _ in range(min(n, len(self._queue)))]
        self._pending.update(_key(proposal) for proposal in batch)
        return batch

    def _begin(self, make: Make) -> None:
        count = len(self.told)
        while self._start + (n := self.size(self._start)) <= count:
            self._start += n
        start = self._start
        if start == self._begun:
            return  # the generation could not be filled: the space is exhausted
        self._begun = start
        self._mark(start)  # a replay in mid-generation must not mark trials that the generation itself produced
        rng = stream(self.seed, self.name, start)
        made = make(start, n, rng)[:n]
        while len(made) < n and (arch := self.unseen.sample(rng)) is not None:
            made.append(Proposal(arch=arch))
        told = _told(self.told[start:])
        rest = [proposal for proposal in made if _key(proposal) not in told and not self._new_twice(proposal, start)]
        self._queue = deque(rest[: start + n - count])
        if excess := rest[start + n - count :]:  # only if the history is not this searcher's own
            known = {self.unseen.key(trial.arch) for trial in self.told}  # a continued architecture was seen before
            for proposal in excess:
                if self.unseen.key(proposal.arch) not in known:
                    self.unseen.forget(proposal.arch)
        self._mark(count)

    def _new_twice(self, proposal: Proposal, start: int) -> bool:
        """Whether the architecture is among the generation's own trials (at another fidelity) and among no earlier trials.

        This happens only if the history is not this searcher's own.
        """
        key = self.unseen.key
        own = any(key(trial.arch) == key(proposal.arch) for trial in self.told[start:])
        return own and not any(key(trial.arch) == key(proposal.arch) for trial in self.told[:start])

    def _mark(self, end: int) -> None:
        for trial in self.told[self._marked : end]:
            self.unseen.add(trial.arch)
        self._marked = max(self._marked, end)


def _key(proposal: Proposal) -> tuple[Arch, str]:
    return proposal.arch, proposal.fidelity


def _told(trials: Sequence[Trial]) -> set[tuple[Arch, str]]:
    """The keys of the proposals that the trials answer, each at the trial's fidelity and at that of the whole search."""
    return {(trial.arch, fidelity) for trial in trials for fidelity in ("", trial.fidelity)}


@dataclass(slots=True)
class GenerationSearcher(SpaceSearcher, ABC):
    """A searcher that proposes in generations. A subclass implements `_make`, which makes one generation."""

    _generations: Generations = field(init=False)

    def ask(self, n: int) -> list[Proposal]:
        """See `Searcher.ask`."""
        return self._generations.ask(n, self._make)

    def tell(self, trials: Sequence[Trial]) -> None:
        """See `Searcher.tell`."""
        self._generations.tell(trials)

    def _begin(self, name: str, first: int, later: int) -> None:
        """Sets the sizes: `first` trials in generation 0, `later` in each generation after it. A subclass calls this once."""
        self._begin_with(name, lambda start: later if start else first)

    def _begin_with(self, name: str, size: Callable[[int], int]) -> None:
        """As `_begin`, with any `size`: see `Generations`."""
        self._generations = Generations(self.unseen(), name, self.seed, size)

    def _good(self, start: int, after: int = 0) -> list[Trial]:
        """Returns the trials `told[after:start]` that did not fail."""
        return [trial for trial in self._generations.told[after:start] if trial.status == "ok"]

    @abstractmethod
    def _make(self, start: int, n: int, rng: Random) -> list[Proposal]:
        """Returns up to `n` proposals made from the first `start` trials alone; random architectures fill up the generation.

        The calls are in the order of the generations. A replay skips the generations that its history contains in full.
        """
