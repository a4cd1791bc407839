"""Cuts a searcher's proposals into generations and batches, so that a searcher has only to make one generation."""

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
"""`make(start, n, rng)`: up to `n` proposals, taken from `Unseen`, out of the trials `told[:start]` and nothing else."""

TRIES = 10
"""Tries per child wanted, before random architectures take its place (DetNAS, SPOS)."""


def breed(unseen: Unseen, n: int, child: Callable[[], Proposal]) -> list[Proposal]:
    """Takes up to `n` new feasible children, with at most `TRIES * n` calls of `child`."""
    born: list[Proposal] = []
    for _ in range(TRIES * n):
        if len(born) == n:
            break
        try:
            proposal = child()
        except UserError:  # nothing can change, or a `Where` rule is too narrow around these parents: random ones go on
            break
        if unseen.take(proposal.arch):
            born.append(proposal)
    return born


@dataclass(slots=True)
class Generations:
    """The trials told, the proposals pending, and the generation in progress.

    Attributes:
        unseen: What was seen; shared with the searcher's `make`.
        name: Names the searcher's random streams, one per generation: (seed, name, trials before it).
        seed: Of all its draws.
        size: `size(start)`: how many trials the generation after the first `start` trials holds, a function of these alone.
    """

    unseen: Unseen
    name: str
    seed: int
    size: Callable[[int], int]
    told: list[Trial] = field(default_factory=list, init=False)
    _start: int = field(default=0, init=False)  # where the generation in progress starts
    _begun: int = field(default=-1, init=False)  # the last start that was made proposals for
    _queue: deque[Proposal] = field(default_factory=deque, init=False)
    _pending: set[tuple[Arch, str]] = field(default_factory=set, init=False)
    _marked: int = field(default=0, init=False)  # trials whose archs are known to be in `unseen`

    def tell(self, trials: Sequence[Trial]) -> None:
        """Adds trials; those never asked for are a history being replayed."""
        self.told.extend(trials)
        told = _told(trials)
        self._pending -= told
        if self._queue:  # a trial from outside may be one that waits in the queue
            self._queue = deque(proposal for proposal in self._queue if _key(proposal) not in told)

    def ask(self, n: int, make: Make) -> list[Proposal]:
        """At most `n` proposals of the generation in progress, or of the next: see `Searcher.ask`."""
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
            return  # the generation could not be filled: nothing is left
        self._begun = start
        self._mark(start)  # a replay in mid-generation must not see what the generation had not seen
        rng = stream(self.seed, self.name, start)
        made = make(start, n, rng)[:n]
        while len(made) < n and (arch := self.unseen.sample(rng)) is not None:
            made.append(Proposal(arch=arch))
        told = _told(self.told[start:])
        rest = [proposal for proposal in made if _key(proposal) not in told and not self._new_twice(proposal, start)]
        self._queue = deque(rest[: start + n - count])
        if excess := rest[start + n - count :]:  # only where the history is not this searcher's own
            known = {self.unseen.key(trial.arch) for trial in self.told}  # continued ones were seen before
            for proposal in excess:
                if self.unseen.key(proposal.arch) not in known:
                    self.unseen.forget(proposal.arch)
        self._mark(count)

    def _new_twice(self, proposal: Proposal, start: int) -> bool:
        """Whether the generation's own trials have the proposal's architecture at another fidelity, and none before them has.

        So it is in a history that is not this searcher's own.
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
    """The keys of the proposals that these trials answer: at their fidelity, or at that of the whole search."""
    return {(trial.arch, fidelity) for trial in trials for fidelity in ("", trial.fidelity)}


@dataclass(slots=True)
class GenerationSearcher(SpaceSearcher, ABC):
    """A searcher that proposes in generations: what is left to write is how a generation is made."""

    _generations: Generations = field(init=False)

    def ask(self, n: int) -> list[Proposal]:
        """See `Searcher.ask`."""
        return self._generations.ask(n, self._make)

    def tell(self, trials: Sequence[Trial]) -> None:
        """See `Searcher.tell`."""
        self._generations.tell(trials)

    def _begin(self, name: str, first: int, later: int) -> None:
        """Called once by the searcher: `first` trials in generation 0, `later` in each that follows."""
        self._begin_with(name, lambda start: later if start else first)

    def _begin_with(self, name: str, size: Callable[[int], int]) -> None:
        self._generations = Generations(self.unseen(), name, self.seed, size)

    def _good(self, start: int, after: int = 0) -> list[Trial]:
        """The trials before `start`, from `after` on, that did not fail."""
        return [trial for trial in self._generations.told[after:start] if trial.status == "ok"]

    @abstractmethod
    def _make(self, start: int, n: int, rng: Random) -> list[Proposal]:
        """Up to `n` proposals out of the first `start` trials and nothing else; what is missing is drawn at random.

        Called for generations in their order, but not for every one: a replay begins in the middle.
        """
