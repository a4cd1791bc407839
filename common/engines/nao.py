"""NAO as an engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from common.deferred import Deferred
from common.engines.base import Plain, Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class NAO(Plain):
    """Gradient ascent among the codes of an encoder and a decoder of architectures; see `common.search.nao`."""

    title: ClassVar[str] = "NAO"
    paper: ClassVar[str] = "arXiv:1808.07233"
    searching: ClassVar[Deferred] = Deferred("common.search.nao", "NAO")

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

    def parameters(self, problem: Problem) -> dict[str, Any]:
        """See `Plain.parameters`."""
        from common.predict.nao_model import NAOModel

        own = Plain.parameters(self, problem)
        return {"model": NAOModel(problem.space, steps=own.pop("steps")), **own}
