"""A genetic algorithm of the textbook: roulette selection, uniform crossover, mutation gene by gene, elitism, repair."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from common.errors import UserError
from common.search.base import Proposal, Trial
from common.search.generations import GenerationSearcher, breed
from common.space import Arch, crossover, neighbours, redraw, sample

Excess = Callable[[Arch], float]
"""By how much an architecture breaks the hard constraint; 0 or less where it keeps it."""


def repaired(space: Any, arch: Arch, excess: Excess) -> Arch:
    """The architecture, with its most expensive genes made cheaper until it keeps the constraint.

    The most expensive gene is the one whose cheapest option would save most. It takes the next cheaper of its options, and the
    genes are compared again. Where no gene can be made cheaper, the architecture still breaks the constraint.

    Args:
        space: the description with open decisions.
        arch: what is repaired; it is left as it is.
        excess: of the constraint.

    >>> from common.space import OneOf
    >>> width = OneOf(1, 2, 4, 8)  # of two layers, at most 8 together
    >>> found = repaired((width, width), Arch({"0": 3, "1": 1}), lambda arch: sum(2**i for i in arch.values()) - 8)
    >>> dict(found)
    {'0': 2, '1': 1}
    """
    while (now := excess(arch)) > 0:
        cheaper: dict[str, list[tuple[float, int, Arch]]] = {}
        for other in neighbours(space, arch):
            if (value := excess(other)) < now:
                path = next(path for path in arch if path in other and arch[path] != other[path])
                cheaper.setdefault(path, []).append((value, other[path], other))
        if not cheaper:
            break
        dearest = min(sorted(cheaper), key=lambda path: min(cheaper[path])[0])
        arch = max(cheaper[dearest])[2]
    return arch


@dataclass(slots=True)
class GeneticAlgorithm(GenerationSearcher):
    """Evolution of a population by the first objective, as in Shen et al. (2019, arXiv 1909.07378).

    A generation has `population` members: the `elite` best members of the one before, which are not evaluated again, and children
    of it. The parents of a child are drawn with probabilities in proportion to what they are better than the worst member
    (roulette selection). The paper names the operators and gives no numbers, and its released code has no search: window of the
    roulette, rates and sizes are a reconstruction.

    Attributes:
        population: Members of a generation.
        elite: The best members that stay in the next generation.
        crossing: Probability that a child has two parents; else it is a mutant of one.
        rate: Probability that a gene of a child is drawn anew.
        excess: By how much an architecture breaks the constraint: children and the first members are repaired. Without it those
            that break the constraint are dropped.
    """

    population: int = field(default=40, kw_only=True)
    elite: int = field(default=4, kw_only=True)
    crossing: float = field(default=0.9, kw_only=True)
    rate: float = field(default=0.1, kw_only=True)
    excess: Excess | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if not 0 <= self.elite < self.population:
            raise UserError(
                f"genetic algorithm: an elite of {self.elite} leaves no place for children in a population of {self.population}; "
                "make it smaller, 0 or more"
            )
        for name in ("crossing", "rate"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(f"genetic algorithm: {name} is {getattr(self, name)}; give a probability from 0 to 1")
        self._begin("genetic", self.population, self.population - self.elite)

    def members(self, start: int) -> list[Trial]:
        """The generation that ends with trial `start`, failed members apart: its elite, the best first, then its own."""
        own = self.population if start == self.population else self.population - self.elite
        elite = heapq.nsmallest(self.elite, self._good(start - own), key=self.order)
        return [*elite, *self._good(start, start - own)]

    def _make(self, start: int, n: int, rng: Random) -> list[Proposal]:
        unseen = self._generations.unseen
        if not start:
            return breed(unseen, n, lambda: Proposal(arch=self._kept(sample(self.space, rng))))
        members = self.members(start)
        if not members:
            return []
        losses = [self.order(trial)[0] for trial in members]
        weights = [float(max(losses) - loss) for loss in losses]

        def parent() -> Trial:
            return rng.choices(members, weights if any(weights) else None)[0]

        def child() -> Proposal:
            parents, origin = [parent()], "mutation"
            arch = parents[0].arch
            if rng.random() < self.crossing:
                parents, origin = [*parents, parent()], "crossover"
                arch = crossover(self.space, arch, parents[1].arch, rng)
            arch = self._kept(redraw(self.space, arch, rng, self.rate))
            return Proposal(arch=arch, parents=tuple(trial.id for trial in parents), origin=origin)

        return breed(unseen, n, child)

    def _kept(self, arch: Arch) -> Arch:
        return arch if self.excess is None else repaired(self.space, arch, self.excess)
