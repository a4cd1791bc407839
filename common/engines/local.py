"""Local search as an engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from common.engines.base import Plain, Problem

if TYPE_CHECKING:
    from common.search.base import Searcher


@dataclass(frozen=True, slots=True, kw_only=True)
class Local(Plain):
    """Hill climbing over neighbours that differ in one decision; see `common.search.local_search`."""

    title: ClassVar[str] = "local search"
    paper: ClassVar[str] = "arXiv:2005.02960"

    name: Literal["local"] = "local"
    move: Literal["first", "best"] = "first"
    """Move to the first better neighbour, or to the best of all neighbours."""
    children: int = 2
    """Neighbours evaluated together."""
    starts: int = 1
    """Random architectures of which the best begins a climb."""

    def searcher(self, problem: Problem) -> Searcher:
        """See `common.engines.base.Engine.searcher`."""
        from common.search.local_search import LocalSearch

        return LocalSearch(
            problem.space,
            problem.objectives,
            seed=problem.seed,
            feasible=problem.feasible,
            rule=problem.rule,
            move=self.move,
            children=self.children,
            starts=self.starts,
        )
