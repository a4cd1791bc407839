"""Successive halving as an engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from common.engines.base import Problem, Shared, check_shares, fidelity_of

if TYPE_CHECKING:
    from common.search.base import Searcher


@dataclass(frozen=True, slots=True, kw_only=True)
class Halving(Shared):
    """Many candidates trained briefly, the best of them longer, bracket after bracket; see `common.search.successive_halving`."""

    title: ClassVar[str] = "successive halving"
    paper: ClassVar[str] = "arXiv:1502.07943"

    name: Literal["halving"] = "halving"
    shares: tuple[float, ...] = (0.25, 0.5, 1.0)
    """Shares of the training steps, rising."""
    candidates: int = 32
    """Candidates that a bracket begins with."""
    eta: int = 3
    """One candidate in so many goes on to the next share."""
    parents: int = 0
    """Number of best candidates that are mutated for the brackets after the first; 0: those brackets are random."""
    warm_start: bool = False
    """Whether the hand-made networks are the first candidates."""

    def __post_init__(self) -> None:
        """Checks ranges; see `common.engines.base.check_shares`."""
        check_shares(self.shares)

    def searcher(self, problem: Problem) -> Searcher:
        """See `common.engines.base.Engine.searcher`."""
        from common.search.successive_halving import SuccessiveHalving

        return SuccessiveHalving(
            problem.space,
            problem.objectives,
            seed=problem.seed,
            feasible=problem.feasible,
            rule=problem.rule,
            fidelities=tuple(map(fidelity_of, self.shares)),
            initial=self.candidates,
            eta=self.eta,
            first=problem.first,
            parents=self.parents,
        )
