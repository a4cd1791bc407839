"""NSGA-II: several objectives at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

import numpy as np

from common.errors import UserError
from common.objective import crowding, fronts
from common.search.base import Proposal, Trial
from common.search.generations import GenerationSearcher, breed
from common.space import crossover, redraw


@dataclass(frozen=True, slots=True)
class _Member:
    trial: Trial
    fitness: tuple[int, float]  # rank of its front, minus its crowding distance: smaller is better


@dataclass(slots=True)
class NSGA2(GenerationSearcher):
    """Non-dominated sorting with crowding (Deb et al. 2002, https://doi.org/10.1109/4235.996017).

    A random generation first; then parents win binary tournaments by (front, crowding), children are crossed over with
    probability `crossing` and re-draw each decision with probability `redrawn` / decisions; the best of parents and children
    survive. In a conditional space children take decisions by path, so shared parts are inherited whatever branch they live in.

    Few children and few redraws are for small budgets: selection is sooner among the best (steady state: Durillo et al. 2009,
    https://doi.org/10.1007/978-3-642-01020-0_18), and a child that repeats its parents' decisions is not lost, for what was
    seen before is bred again.

    Attributes:
        population: Size of the first generation, and of the survivors.
        children: Size of a later generation; None for that of the population, as in the paper.
        crossing: Probability that a child has two parents.
        redrawn: Decisions that a child re-draws on average; the paper's 1 mutates one variable.
    """

    population: int = field(default=40, kw_only=True)
    children: int | None = field(default=None, kw_only=True)
    crossing: float = field(default=0.9, kw_only=True)
    redrawn: float = field(default=1.0, kw_only=True)
    _survivors: list[_Member] = field(default_factory=list, init=False)
    _selected: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if self.population < 2:
            raise UserError(f"NSGA-II: a population of {self.population} is too small: give at least 2")
        if self._brood < 1 or not 0 <= self.crossing <= 1 or self.redrawn < 0:
            raise UserError(
                f"NSGA-II: {self._brood} children, crossing {self.crossing}, redrawn {self.redrawn}: needs children >= 1,"
                " crossing in 0..1 and redrawn >= 0"
            )
        self._begin("nsga2", self.population, self._brood)

    @property
    def _brood(self) -> int:
        return self.population if self.children is None else self.children

    @property
    def survivors(self) -> tuple[Trial, ...]:
        """The parents of the generation in progress."""
        return tuple(member.trial for member in self._survivors)

    def _make(self, start: int, n: int, rng: Random) -> list[Proposal]:
        while self._selected < start:  # a replay selects once per generation, like the run did
            end = self._selected + (self._brood if self._selected else self.population)
            born = self._good(end, self._selected)
            self._survivors = self._select([member.trial for member in self._survivors] + born)
            self._selected = end
        if not self._survivors:
            return []

        def child() -> Proposal:
            a, b = self._tournament(rng), self._tournament(rng)
            if rng.random() < self.crossing:
                arch, parents, origin = crossover(self.space, a.arch, b.arch, rng), (a.id, b.id), "crossover"
            else:
                arch, parents, origin = a.arch, (a.id,), "mutation"
            arch = redraw(self.space, arch, rng, min(1.0, self.redrawn / max(1, len(arch))))
            return Proposal(arch=arch, parents=parents, origin=origin)

        return breed(self._generations.unseen, n, child)

    def _tournament(self, rng: Random) -> Trial:
        return min(rng.sample(self._survivors, min(2, len(self._survivors))), key=lambda m: m.fitness).trial

    def _select(self, pool: list[Trial]) -> list[_Member]:
        points = np.array([[t.value(o) for o in self.objectives] for t in pool], dtype=np.float64)
        kept: list[_Member] = []
        for rank, front in enumerate(fronts(points, self.objectives)):
            distances = crowding(points[front])
            order = np.argsort(-distances, kind="stable")[: self.population - len(kept)]
            kept += [_Member(pool[front[i]], (rank, -float(distances[i]))) for i in order]
            if len(kept) == self.population:
                break
        return kept
