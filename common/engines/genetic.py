"""A genetic algorithm as an engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from common.deferred import Deferred
from common.engines.base import Plain, Problem
from common.errors import UserError, check_least


@dataclass(frozen=True, slots=True, kw_only=True)
class Genetic(Plain):
    """Roulette selection, uniform crossover, mutation and elitism; see `common.search.genetic`."""

    title: ClassVar[str] = "genetic algorithm"
    paper: ClassVar[str] = "arXiv:1909.07378"
    searching: ClassVar[Deferred] = Deferred("common.search.genetic", "GeneticAlgorithm")

    name: Literal["genetic"] = "genetic"
    population: int = 40
    """Members of a generation."""
    elite: int = 4
    """The best members that stay in the next generation and are not evaluated again."""
    crossing: float = 0.9
    """Probability that a child has two parents; else it is a mutant of one."""
    rate: float = 0.1
    """Probability that a gene of a child is drawn anew."""
    repair: bool = True
    """Whether the most expensive genes of an architecture above the budget are made cheaper until it keeps the budget; otherwise
    another one is drawn."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: a value is out of range.
        """
        check_least(self, "search.engine", ("population",), 1)
        check_least(self, "search.engine", ("elite",), 0)
        if self.elite >= self.population:
            raise UserError(
                f"search.engine.elite={self.elite}: it leaves no place for children in a population of {self.population}; "
                "give less"
            )
        for name in ("crossing", "rate"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(f"search.engine.{name} is {getattr(self, name)}; give a probability from 0 to 1")

    def parameters(self, problem: Problem) -> dict[str, Any]:
        """See `Plain.parameters`."""
        own = Plain.parameters(self, problem)
        repair = own.pop("repair")
        return {**own, "excess": problem.excess if repair else None}
