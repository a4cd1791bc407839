"""Local search: from a random architecture to better neighbours until there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Literal

from common.errors import UserError
from common.search.base import Proposal, Trial
from common.search.generations import GenerationSearcher
from common.space import Arch, Decision, Invalid, record
from common.streams import stream

Move = tuple[str, int]
"""A decision's path and the option that it changes to."""


@dataclass(slots=True)
class LocalSearch(GenerationSearcher):
    """Hill climbing over one-decision neighbours (White et al. 2021, https://arxiv.org/abs/2005.02960, section 3).

    A climb begins at a random architecture, the best of `starts`. Its neighbours (those of `common.space.neighbours`) are
    evaluated in random order; the climb moves to a better one and goes on from there. Where all were evaluated and none is
    better a new climb begins at random architectures not seen before. Only the first objective counts; failed trials are
    evaluated neighbours that are not better. As in the authors' code a neighbour that was seen in an earlier climb is passed
    over: it is not evaluated again and the climb does not move to it.

    Departure: in a conditional space the decisions that come alive with a move are drawn at random, where `neighbours` gives
    them their first options: a neighbourhood has one member for each change of a live decision, and not each is tried.
    The neighbours are made one at a time as they are proposed, so the cost of a trial does not grow with the neighbourhood.

    Attributes:
        move: `first`: to the first better neighbour ("query until lower"); `best`: to the best of all neighbours.
        children: Neighbours evaluated together. With `first` the climb moves to the best of them if that is better. It is a
            part of the algorithm: results do not depend on the number of workers, only on this.
        starts: Random architectures that a climb begins with the best of; 1 in the paper's algorithm 1, 10 in the authors' code.
    """

    move: Literal["first", "best"] = field(default="first", kw_only=True)
    children: int = field(default=1, kw_only=True)
    starts: int = field(default=1, kw_only=True)
    _at: Trial | None = field(default=None, init=False)  # None: a new climb begins
    _better: Trial | None = field(default=None, init=False)  # the best neighbour so far, if it is better
    _moves: list[Move] = field(default_factory=list, init=False)  # not yet tried, the next one last
    _next: list[Arch] = field(default_factory=list, init=False)  # the generation that starts at `_folded`
    _folded: int = field(default=-1, init=False)  # trials that the state is a fold of

    def __post_init__(self) -> None:
        if self.move not in ("first", "best"):
            raise UserError(f"local search: move {self.move!r} is unknown: choose first or best")
        if min(self.children, self.starts) < 1:
            raise UserError(f"local search: {self.children} children and {self.starts} starts: give at least 1 of each")
        self._begin_with("local_search", self._size)

    def _make(self, start: int, n: int, rng: Random) -> list[Proposal]:
        if self._at is None:
            return []  # random ones
        parents = (self._at.id,)
        return [
            Proposal(arch=arch, parents=parents, origin="neighbour") for arch in self._next if self._generations.unseen.take(arch)
        ]

    def _size(self, start: int) -> int:
        """How many trials come after the first `start`; called at the start of every generation, in their order."""
        if start != self._folded:
            rng = stream(self.seed, "local_search moves", start)
            self._fold(self._generations.told[max(self._folded, 0) : start], rng)
            self._folded = start
            self._next = self._neighbours(rng)
            if not self._next and self._better is not None:  # `best`: all were evaluated
                self._go(self._better, rng)
                self._next = self._neighbours(rng)
            if not self._next:
                self._at = self._better = None
        return len(self._next) or self.starts

    def _fold(self, born: Sequence[Trial], rng: Random) -> None:
        for trial in born:
            self._generations.unseen.add(trial.arch)
        best = min((trial for trial in born if trial.status == "ok"), key=self.order, default=None)
        if best is None:
            return
        if self._at is None:
            self._go(best, rng)
        elif self.order(best)[0] < self.order(self._better or self._at)[0]:
            self._better = best
            if self.move == "first":
                self._go(best, rng)

    def _go(self, trial: Trial, rng: Random) -> None:
        self._at, self._better = trial, None
        options: dict[str, int] = {}

        def stay(path: str, decision: Decision) -> int:
            options[path] = len(decision)
            return trial.arch[path]

        record(self.space, stay)
        self._moves = [(path, i) for path in sorted(options) for i in range(options[path]) if i != trial.arch[path]]
        rng.shuffle(self._moves)

    def _neighbours(self, rng: Random) -> list[Arch]:
        """The next unseen neighbours, up to `children`."""
        unseen, found = self._generations.unseen, []
        while self._at is not None and self._moves and len(found) < self.children:
            try:
                arch = _moved(self.space, self._at.arch, self._moves.pop(), rng)
            except Invalid:
                continue
            if unseen.take(arch):
                found.append(arch)
        for arch in found:  # they are taken when the generation is made, which a replay may skip
            unseen.forget(arch)
        return found


def _moved(space: object, arch: Arch, move: Move, rng: Random) -> Arch:
    """The neighbour by `move`; decisions that come alive are drawn. Raises `Invalid` where a rule does not allow it."""
    moved = {**arch, move[0]: move[1]}

    def oracle(path: str, decision: Decision) -> int:
        index = moved.get(path)
        return rng.randrange(len(decision)) if index is None else index

    return record(space, oracle)
