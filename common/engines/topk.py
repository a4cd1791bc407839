"""Top-k evolution as an engine."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from common.deferred import Deferred
from common.engines.base import Plain, Problem
from common.errors import UserError, check_least


@dataclass(frozen=True, slots=True, kw_only=True)
class TopK(Plain):
    """Evolution from the best architectures of the whole run (SPOS, DetNAS); see `common.search.topk_evolution`."""

    title: ClassVar[str] = "top-k evolution"
    paper: ClassVar[str] = "arXiv:1904.00420"
    searching: ClassVar[Deferred] = Deferred("common.search.topk_evolution", "TopKEvolution")

    name: Literal["topk"] = "topk"
    population: int = 50
    """Candidates in a generation."""
    mutants: int = 20
    """Mutants wanted in a generation."""
    crossovers: int = 20
    """Crossovers wanted in a generation; random architectures fill the rest."""
    parents: int = 10
    """Size of the archive that parents are sampled from."""
    rate: float = 0.1
    """Probability that a mutation samples a decision anew."""
    lean: float = 1.0
    """Probability of a decision's last option over that of its first one in the first generation, others in equal steps between;
    above 1 for spaces that list options from large to small, under a tight budget."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: a value is out of range.
        """
        check_least(self, "search.engine", ("population", "parents"), 1)
        check_least(self, "search.engine", ("mutants", "crossovers"), 0)
        if not 0 < self.lean < math.inf:
            raise UserError(f"search.engine.lean={self.lean}: give a ratio above 0 that is a number")
        if not 0 <= self.rate <= 1:
            raise UserError(f"search.engine.rate is {self.rate}; it must be between 0 and 1: --set search.engine.rate=0.1")

    def parameters(self, problem: Problem) -> dict[str, Any]:
        """See `Plain.parameters`."""
        from common.space import sample_leaning

        own = Plain.parameters(self, problem)
        lean = own.pop("lean")
        return {**own, "first": None if lean == 1 else lambda rng: sample_leaning(problem.space, rng, lean)}
