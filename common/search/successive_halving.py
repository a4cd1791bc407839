"""Successive halving: many candidates trained shortly, the best of them longer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from common.errors import UserError
from common.search.base import Proposal, Trial
from common.search.generations import GenerationSearcher, breed
from common.space import Arch, mutate
from common.streams import stream


@dataclass(slots=True)
class SuccessiveHalving(GenerationSearcher):
    """Successive halving (Jamieson and Talwalkar 2016, https://arxiv.org/abs/1502.07943, algorithm 1).

    A bracket begins with `initial` candidates at the cheapest fidelity; the best one in `eta` of those that did not fail go on to
    the next one, until the dearest. Then a new bracket begins, so that any budget is spent; `length` tells how many trials one
    bracket takes. With `parents` these brackets are bred from the best so far, not drawn at random, as in DEHB (Awad et al. 2021,
    https://arxiv.org/abs/2105.09821, section 3, by differential evolution; here by mutation). Scores of different fidelities are
    never compared. Where a training is repeated at a higher fidelity rather than continued, a bracket costs more than the
    paper's. Only the first objective counts.

    Attributes:
        fidelities: From the cheapest on, each dearer than the one before.
        initial: Candidates of a bracket.
        eta: One in so many goes on.
        first: Candidates of the first brackets, in this order, new and feasible ones alone; others follow.
        parents: So many of the best at the dearest fidelity are mutated for the brackets after the first; 0 draws at random.
        rate: Probability that a mutation draws a decision anew; one is always changed.
    """

    fidelities: tuple[str, ...] = field(default=("0.25", "0.5", "full"), kw_only=True)
    initial: int = field(default=16, kw_only=True)
    eta: int = field(default=2, kw_only=True)
    first: Sequence[Arch] = field(default=(), kw_only=True)
    parents: int = field(default=0, kw_only=True)
    rate: float = field(default=0.1, kw_only=True)
    _rungs: dict[int, tuple[int, int, int]] = field(default_factory=dict, init=False)  # start -> rung, previous start, size

    def __post_init__(self) -> None:
        if not self.fidelities or len(set(self.fidelities)) < len(self.fidelities) or not all(self.fidelities):
            raise UserError(f"successive halving: fidelities {self.fidelities}: name one or more, each once")
        if self.initial < 1 or self.eta < 2 or self.parents < 0 or not 0 <= self.rate <= 1:
            raise UserError(
                f"successive halving: initial candidates={self.initial}, eta={self.eta}, parents={self.parents}, rate={self.rate}"
                ": give 1 or more, 2 or more, 0 or more, and a probability"
            )
        self._begin_with("successive halving", self._size)

    @property
    def length(self) -> int:
        """Trials of one bracket, if few enough fail."""
        return sum(max(1, self.initial // self.eta**rung) for rung in range(len(self.fidelities)))

    def best(self, trials: Sequence[Trial]) -> Trial | None:
        """The best of the trials at the highest fidelity that any of them succeeded at; None if none did."""
        for fidelity in reversed(self.fidelities):
            if at := [trial for trial in trials if trial.status == "ok" and trial.fidelity == fidelity]:
                return min(at, key=self.order)
        return None

    def _make(self, start: int, n: int, rng: Random) -> list[Proposal]:
        rung, before, _ = self._rungs[start]
        fidelity, unseen = self.fidelities[rung], self._generations.unseen
        if rung:
            going_on = sorted(self._finished(rung - 1, before, start), key=self.order)[:n]
            return [Proposal(arch=t.arch, parents=(t.id,), origin="continued", fidelity=fidelity) for t in going_on]
        made: list[Proposal] = []
        for arch in self.first:
            if len(made) < n and unseen.take(arch):
                made.append(Proposal(arch=arch, origin="given", fidelity=fidelity))
        last = len(self.fidelities) - 1
        if best := sorted(self._finished(last, 0, start), key=self.order)[: self.parents]:

            def mutant() -> Proposal:
                parent = rng.choice(best)
                arch = mutate(self.space, parent.arch, rng, rate=self.rate)
                return Proposal(arch=arch, parents=(parent.id,), origin="mutation", fidelity=fidelity)

            made += breed(unseen, n - len(made), mutant)
        while len(made) < n and (drawn := unseen.sample(rng)) is not None:
            made.append(Proposal(arch=drawn, fidelity=fidelity))
        return made

    def _finished(self, rung: int, start: int, end: int) -> list[Trial]:
        return [trial for trial in self._good(end, start) if trial.fidelity == self.fidelities[rung]]

    def _size(self, start: int) -> int:
        """How many trials come after the first `start`; called at the start of every generation, in their order."""
        if start not in self._rungs:
            last = max(self._rungs, default=-1)
            rung, before = (0, 0) if last < 0 else (self._rungs[last][0] + 1, last)
            good = len(self._finished(rung - 1, before, start)) if rung else 0
            if rung == len(self.fidelities) or not good:
                rung = 0
            for trial in self._generations.told[before:start]:
                self._generations.unseen.add(trial.arch)
            if rung:
                n = min(good, max(1, self.initial // self.eta**rung))
            else:
                n = max(1, self._generations.unseen.left(self.initial, stream(self.seed, "successive halving left", start)))
            self._rungs[start] = (rung, before, n)
        return self._rungs[start][2]
