"""NPENAS as an engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from common.deferred import Deferred
from common.engines.base import MLPSettings, Plain, Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class NPENAS(Plain):
    """Evolution whose children are chosen by a predictor, refitted for each generation; see `common.search.npenas`."""

    title: ClassVar[str] = "NPENAS"
    paper: ClassVar[str] = "arXiv:2003.12857"
    searching: ClassVar[Deferred] = Deferred("common.search.npenas", "NPENAS")

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

    def parameters(self, problem: Problem) -> dict[str, Any]:
        """See `Plain.parameters`."""
        return {**Plain.parameters(self, problem), "predictor": self.predictor.predictor(problem.space)}
