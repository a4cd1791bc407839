"""Evolution from the best architectures found so far, as single-path one-shot searches do it."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from common.errors import UserError
from common.search.base import Proposal, Trial
from common.search.generations import GenerationSearcher, breed
from common.space import Arch, crossover, redraw


@dataclass(slots=True)
class TopKEvolution(GenerationSearcher):
    """The search of SPOS (Guo et al. 2020, https://arxiv.org/abs/1904.00420) and DetNAS (https://arxiv.org/abs/1903.10979).

    A random generation first; each later one holds mutants and crossovers of the top architectures of the whole run, filled up
    with random ones. GAN Compression (https://arxiv.org/abs/2003.08936) does the same: its parents stay in the population, so
    they too are the best of the whole run. Mutation re-draws each decision with probability `rate`; crossover takes each
    decision from one of two parents, drawn independently. Only the first objective counts.

    Attributes:
        population: Size of a generation.
        mutants: Mutants wanted in a generation.
        crossovers: Crossovers wanted in a generation.
        parents: Size of the archive that parents come from.
        rate: Probability that a mutation re-draws a decision.
        first: Draws an architecture of the first generation; uniform without.
    """

    population: int = field(default=50, kw_only=True)
    mutants: int = field(default=20, kw_only=True)
    crossovers: int = field(default=20, kw_only=True)
    parents: int = field(default=10, kw_only=True)
    rate: float = field(default=0.1, kw_only=True)
    first: Callable[[Random], Arch] | None = field(default=None, kw_only=True)
    _archive: list[Trial] = field(default_factory=list, init=False)
    _archived: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if min(self.population, self.parents) < 1 or self.mutants + self.crossovers > self.population:
            raise UserError(
                f"top-k evolution: {self.mutants} mutants and {self.crossovers} crossovers from {self.parents} parents do not"
                f" fit a population of {self.population}: enlarge it"
            )
        self._begin("topk_evolution", self.population, self.population)

    @property
    def archive(self) -> tuple[Trial, ...]:
        """The parents of the generation in progress, the best first: the global top `parents` of all before it."""
        return tuple(self._archive)

    def _make(self, start: int, n: int, rng: Random) -> list[Proposal]:
        unseen, new = self._generations.unseen, self._good(start, self._archived)
        self._archived = start
        self._archive = heapq.nsmallest(self.parents, self._archive + new, key=self.order)
        draw = self.first
        if not self._archive:
            return [] if draw is None or start else breed(unseen, n, lambda: Proposal(arch=draw(rng)))

        def mutant() -> Proposal:
            parent = rng.choice(self._archive)
            arch = redraw(self.space, parent.arch, rng, self.rate)
            return Proposal(arch=arch, parents=(parent.id,), origin="mutation")

        def crossed() -> Proposal:
            a, b = rng.choice(self._archive), rng.choice(self._archive)
            arch = crossover(self.space, a.arch, b.arch, rng)
            return Proposal(arch=arch, parents=(a.id, b.id), origin="crossover")

        return breed(unseen, self.mutants, mutant) + breed(unseen, self.crossovers, crossed)
