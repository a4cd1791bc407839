"""Aging (regularised) evolution."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from random import Random

from common.errors import UserError
from common.search.base import Proposal, Trial
from common.search.generations import GenerationSearcher, breed
from common.space import alone, mutate


@dataclass(slots=True)
class AgingEvolution(GenerationSearcher):
    """Tournament selection in a population whose oldest member dies (Real et al. 2019, https://arxiv.org/abs/1802.01548).

    A random population first; then the best of a random tournament gets a child that differs in one decision, or a random
    architecture is taken where ten such children were all seen before or infeasible. Only the first objective counts; failed
    trials never enter the population. The paper's populations are 100 with tournaments of 25, for 20,000 trials.

    Attributes:
        population: How many of the youngest trials are alive.
        tournament: How many of them compete to be the parent.
        children: Made from the same population, so that they can be evaluated together; 1 is the sequential algorithm.
            It is a part of the algorithm: results do not depend on the number of workers, only on this.
    """

    population: int = field(default=50, kw_only=True)
    tournament: int = field(default=10, kw_only=True)
    children: int = field(default=1, kw_only=True)
    _alive: deque[tuple[float | int, int, Trial]] = field(init=False)  # (loss, id, trial): sorts by the first two
    _joined: int = field(default=0, init=False)
    _alone: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        if self.children < 1 or not 1 <= self.tournament <= self.population:
            raise UserError(
                f"aging evolution: {self.children} children of tournaments of {self.tournament} in a population of"
                f" {self.population}: needs children >= 1 and 1 <= tournament <= population"
            )
        self._begin("aging_evolution", self.population, self.children)
        self._alive = deque(maxlen=self.population)
        self._alone = alone(self.space)

    def _make(self, start: int, n: int, rng: Random) -> list[Proposal]:
        self._alive.extend((*self.order(trial), trial) for trial in self._good(start, self._joined))
        self._joined = start
        if not self._alive:
            return []

        def child() -> Proposal:
            _, _, parent = min(rng.choices(self._alive, k=self.tournament))  # with replacement, as in the paper's code
            arch = mutate(self.space, parent.arch, rng, rate=0.0, alone=self._alone)
            return Proposal(arch=arch, parents=(parent.id,), origin="mutation")

        return breed(self._generations.unseen, n, child)
