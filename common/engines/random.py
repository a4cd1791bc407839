"""Random search as an engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from common.engines.base import Plain, Problem

if TYPE_CHECKING:
    from common.search.base import Searcher


@dataclass(frozen=True, slots=True, kw_only=True)
class Random(Plain):
    """Uniform random architectures, none twice: the yardstick of every other engine; see `common.search.random`."""

    title: ClassVar[str] = "random search"
    paper: ClassVar[str] = "arXiv:1902.07638"

    name: Literal["random"] = "random"

    def searcher(self, problem: Problem) -> Searcher:
        """See `common.engines.base.Engine.searcher`."""
        from common.search.random import RandomSearch

        return RandomSearch(
            problem.space,
            problem.objectives,
            seed=problem.seed,
            feasible=problem.feasible,
            rule=problem.rule,
        )
