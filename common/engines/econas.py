"""EcoNAS as an engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from common.deferred import Deferred
from common.engines.base import Plain, Problem, Shared, check_shares, fidelity_of


@dataclass(frozen=True, slots=True, kw_only=True)
class EcoNAS(Shared):
    """Evolution in tiers of fidelity: promising candidates are evaluated again at a larger share; see `common.search.econas`."""

    title: ClassVar[str] = "EcoNAS"
    paper: ClassVar[str] = "arXiv:2001.01233"
    searching: ClassVar[Deferred] = Deferred("common.search.econas", "EcoNAS")

    name: Literal["econas"] = "econas"
    shares: tuple[float, ...] = (0.25, 0.5, 1.0)
    """Shares of the training steps, rising."""
    initial: int = 16
    """Random architectures of the first generation."""
    continued: tuple[int, ...] = (4, 2)
    """Candidates of each tier but the last that move on in a cycle."""
    parents: tuple[int, ...] = (3, 2, 2)
    """Mutants of each tier in a cycle."""
    patience: int = 10
    """Cycles without an evaluation after which a candidate is dropped."""

    def __post_init__(self) -> None:
        """Checks ranges; see `common.engines.base.check_shares`."""
        check_shares(self.shares)

    def parameters(self, problem: Problem) -> dict[str, Any]:
        """See `Plain.parameters`."""
        own = Plain.parameters(self, problem)
        return {"fidelities": tuple(map(fidelity_of, own.pop("shares"))), **own}
