"""NAO as an engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from common.engines.base import Plain, Problem

if TYPE_CHECKING:
    from common.search.base import Searcher


@dataclass(frozen=True, slots=True, kw_only=True)
class NAO(Plain):
    """Gradient ascent among the codes of an encoder and a decoder of architectures; see `common.search.nao`."""

    title: ClassVar[str] = "NAO"
    paper: ClassVar[str] = "arXiv:1808.07233"

    name: Literal["nao"] = "nao"
    first: int = 20
    """Random architectures at the beginning."""
    later: int = 10
    """Architectures in each later generation."""
    seeds: int = 10
    """Number of best architectures that are moved."""
    ascents: int = 50
    """Longest step along the gradient."""
    steps: int = 150
    """Training steps of the model in each generation."""

    def searcher(self, problem: Problem) -> Searcher:
        """See `common.engines.base.Engine.searcher`."""
        from common.predict.nao_model import NAOModel
        from common.search.nao import NAO as Searching

        return Searching(
            space=problem.space,
            objectives=problem.objectives,
            seed=problem.seed,
            feasible=problem.feasible,
            rule=problem.rule,
            model=NAOModel(problem.space, steps=self.steps),
            first=self.first,
            later=self.later,
            seeds=self.seeds,
            ascents=self.ascents,
        )
