"""Aging evolution as an engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from common.engines.base import Plain, Problem

if TYPE_CHECKING:
    from common.search.base import Searcher


@dataclass(frozen=True, slots=True, kw_only=True)
class Aging(Plain):
    """Tournaments in a population whose oldest member dies; see `common.search.aging_evolution`."""

    title: ClassVar[str] = "aging evolution"
    paper: ClassVar[str] = "arXiv:1802.01548"

    name: Literal["aging"] = "aging"
    population: int = 20
    """Number of youngest trials that are alive."""
    tournament: int = 5
    """Number of them that compete to be the parent."""
    children: int = 2
    """Candidates made from the same population and evaluated together."""

    def searcher(self, problem: Problem) -> Searcher:
        """See `common.engines.base.Engine.searcher`."""
        from common.search.aging_evolution import AgingEvolution

        return AgingEvolution(
            problem.space,
            problem.objectives,
            seed=problem.seed,
            feasible=problem.feasible,
            rule=problem.rule,
            population=self.population,
            tournament=self.tournament,
            children=self.children,
        )
