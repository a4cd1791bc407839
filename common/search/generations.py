"""Cuts a searcher's proposals into generations and batches, so that a searcher has only to make one generation."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from common.errors import UserError
from common.search.base import Proposal, Trial, Unseen
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
        first: Size of generation 0.
        size: Size of every later generation.
    """

    unseen: Unseen
    name: str
    seed: int
    first: int
    size: int
    told: list[Trial] = field(default_factory=list, init=False)
    _start: int = field(default=-1, init=False)
    _queue: deque[Proposal] = field(default_factory=deque, init=False)
    _pending: set[Arch] = field(default_factory=set, init=False)
    _marked: int = field(default=0, init=False)  # trials whose archs are known to be in `unseen`

    def tell(self, trials: Sequence[Trial]) -> None:
        """Adds trials; those never asked for are a history being replayed."""
        self.told.extend(trials)
        for trial in trials:
            self._pending.discard(trial.arch)
        if self._queue:  # a trial from outside may be one that waits in the queue
            told = {trial.arch for trial in trials}
            self._queue = deque(proposal for proposal in self._queue if proposal.arch not in told)

    def ask(self, n: int, make: Make) -> list[Proposal]:
        """At most `n` proposals of the generation in progress, or of the next: see `Searcher.ask`."""
        if not self._queue and not self._pending:
            self._begin(make)
        batch = [self._queue.popleft() for _ in range(min(n, len(self._queue)))]
        self._pending.update(proposal.arch for proposal in batch)
        return batch

    def _begin(self, make: Make) -> None:
        count = len(self.told)
        passed = (count - self.first) // self.size  # -1 in generation 0
        start, n = (0, self.first) if passed < 0 else (self.first + passed * self.size, self.size)
        if start == self._start:
            return  # the generation could not be filled: nothing is left
        self._start = start
        self._mark(start)  # a replay in mid-generation must not see what the generation had not seen
        rng = stream(self.seed, self.name, start)
        made = make(start, n, rng)[:n]
        while len(made) < n and (arch := self.unseen.draw(rng)) is not None:
            made.append(Proposal(arch=arch))
        told = {trial.arch for trial in self.told[start:]}
        rest = [proposal for proposal in made if proposal.arch not in told]
        self._queue = deque(rest[: start + n - count])
        for proposal in rest[start + n - count :]:  # only where the history is not this searcher's own
            self.unseen.forget(proposal.arch)
        self._mark(count)

    def _mark(self, end: int) -> None:
        for trial in self.told[self._marked : end]:
            self.unseen.add(trial.arch)
        self._marked = max(self._marked, end)
