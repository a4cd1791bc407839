"""Successive halving as an engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from common.deferred import Deferred
from common.engines.base import Problem, Shared, check_shares, fidelity_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Halving(Shared):
    """Many candidates trained briefly, the best of them longer, bracket after bracket; see `common.search.successive_halving`."""

    title: ClassVar[str] = "successive halving"
    paper: ClassVar[str] = "arXiv:1502.07943"
    searching: ClassVar[Deferred] = Deferred("common.search.successive_halving", "SuccessiveHalving")

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

    def parameters(self, problem: Problem) -> dict[str, Any]:
        """See `Plain.parameters`."""
        return {
            "fidelities": tuple(map(fidelity_of, self.shares)),
            "initial": self.candidates,
            "eta": self.eta,
            "first": problem.first,
            "parents": self.parents,
        }
