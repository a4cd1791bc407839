"""Tournament evolution in which nobody dies."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from common.errors import UserError
from common.search.base import Proposal, Trial
from common.search.generations import GenerationSearcher, breed
from common.space import Arch, mutate

Mutation = Callable[[Any, Arch, Random], Arch]
"""`mutation(space, arch, rng)`: a neighbour of `arch`; raises `UserError` where nothing can change."""


def one_decision(space: Any, arch: Arch, rng: Random) -> Arch:
    """Changes exactly one live decision, drawn uniformly; decisions that come alive with it are drawn too.

    Raises:
        UserError: Nothing can change.
    """
    return mutate(space, arch, rng, rate=0.0)


@dataclass(slots=True)
class TournamentEvolution(GenerationSearcher):
    """Evolution by tournaments of a share of all evaluated (Liu et al. 2018, https://arxiv.org/abs/1711.00436, section 3).

    The first population is made of one trivial genotype by many mutations each, or at random where none is given. Then the
    best of a random 5% of everybody so far gets a mutant; nobody is removed. A random architecture is taken where ten such
    mutants were all seen before or infeasible. Only the first objective counts; failed trials never enter the population.

    The paper's populations are 200, for 7,000 trials of 200 workers at once. Departures: the paper's loop is asynchronous, here
    `children` are made from the same population; a share of the population is rounded to at least one member; duplicates are
    never evaluated. With `common.search.hierarchical_space.mutate_motif` for `mutation` this is the paper's hierarchical search.

    Attributes:
        population: Trials before the first tournament.
        share: Of the population that competes to be the parent, drawn without replacement.
        children: Made from the same population, so that they can be evaluated together; 1 is the sequential algorithm.
            It is a part of the algorithm: results do not depend on the number of workers, only on this.
        origin: The trivial genotype, e.g. chains of identities; None for a random first population.
        diversify: Mutations between `origin` and each member of the first population.
        mutation: How a child differs from its parent; the default changes one decision, whichever.
    """

    population: int = field(default=50, kw_only=True)
    share: float = field(default=0.05, kw_only=True)
    children: int = field(default=1, kw_only=True)
    origin: Arch | None = field(default=None, kw_only=True)
    diversify: int = field(default=1000, kw_only=True)
    mutation: Mutation = field(default=one_decision, kw_only=True)
    _ranked: list[tuple[float | int, int, Trial]] = field(default_factory=list, init=False)  # (loss, id, trial), best first
    _joined: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if min(self.population, self.children, self.diversify) < 1 or not 0 < self.share <= 1:
            raise UserError(
                f"tournament evolution: {self.children} children of tournaments of a share of {self.share} in a population of"
                f" {self.population} by {self.diversify} mutations: needs each >= 1 and 0 < share <= 1"
            )
        self._begin("tournament_evolution", self.population, self.children)

    def _make(self, start: int, n: int, rng: Random) -> list[Proposal]:
        for trial in self._good(start, self._joined):
            insort(self._ranked, (*self.order(trial), trial))
        self._joined = start

        def child() -> Proposal:
            parent = self._ranked[winner(len(self._ranked), self.share, rng)][2]
            return Proposal(arch=self.mutation(self.space, parent.arch, rng), parents=(parent.id,), origin="mutation")

        def diversified() -> Proposal:
            assert self.origin is not None
            arch = self.origin
            for _ in range(self.diversify):
                arch = self.mutation(self.space, arch, rng)
            return Proposal(arch=arch)

        if start == 0:
            return [] if self.origin is None else breed(self._generations.unseen, n, diversified)
        return breed(self._generations.unseen, n, child) if self._ranked else []


def winner(n: int, share: float, rng: Random) -> int:
    """The rank (0 is the best) that wins a tournament of a random `share` of `n`, without drawing the whole tournament.

    Whether rank r takes part, given that none before it does, has probability k / (n - r) with k members: 1 / share draws
    are expected, however large the population.
    """
    k = max(1, round(share * n))
    rank = 0
    while rng.random() * (n - rank) >= k:  # certain to end at n - k: the draw is below 1
        rank += 1
    return rank
