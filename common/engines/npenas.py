"""NPENAS as an engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from common.engines.base import MLPSettings, Plain, Problem

if TYPE_CHECKING:
    from common.search.base import Searcher


@dataclass(frozen=True, slots=True, kw_only=True)
class NPENAS(Plain):
    """Evolution whose children are chosen by a predictor, refitted for each generation; see `common.search.npenas`."""

    title: ClassVar[str] = "NPENAS"
    paper: ClassVar[str] = "arXiv:2003.12857"

    name: Literal["npenas"] = "npenas"
    first: int = 10
    """Random architectures at the beginning."""
    later: int = 10
    """Architectures evaluated in each later generation."""
    candidates: int = 100
    """Mutants that the predictor chooses from."""
    parents: int = 10
    """Number of best architectures that are mutated."""
    rate: float = 0.0
    """Probability that a mutation changes a decision beyond the first."""
    predictor: MLPSettings = MLPSettings()
    """What predicts scores."""

    def searcher(self, problem: Problem) -> Searcher:
        """See `common.engines.base.Engine.searcher`."""
        from common.search.npenas import NPENAS as Searching

        return Searching(
            space=problem.space,
            objectives=problem.objectives,
            seed=problem.seed,
            feasible=problem.feasible,
            rule=problem.rule,
            predictor=self.predictor.predictor(problem.space),
            first=self.first,
            later=self.later,
            candidates=self.candidates,
            parents=self.parents,
            rate=self.rate,
        )
