"""Exhaustive search as an engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from common.engines.base import Plain, Problem

if TYPE_CHECKING:
    from common.search.base import Searcher


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhaustive(Plain):
    """Every feasible architecture once, in random order; its number of trials is that of the architectures."""

    title: ClassVar[str] = "exhaustive search"
    paper: ClassVar[str] = "arXiv:2003.08936"

    name: Literal["exhaustive"] = "exhaustive"

    def searcher(self, problem: Problem) -> Searcher:
        """See `common.engines.base.Engine.searcher`."""
        from common.search.exhaustive import Exhaustive as Searching

        return Searching(
            problem.space,
            problem.objectives,
            seed=problem.seed,
            feasible=problem.feasible,
            rule=problem.rule,
        )
