"""PNAS as an engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from common.deferred import Deferred
from common.engines.base import MLPSettings, Plain, Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class PNAS(Plain):
    """Progressive search: decisions are opened group by group, ranked by a predictor; see `common.search.pnas`.

    Decisions that are not open yet are those of the hand-made baseline.
    """

    title: ClassVar[str] = "PNAS"
    paper: ClassVar[str] = "arXiv:1712.00559"
    searching: ClassVar[Deferred] = Deferred("common.search.pnas", "PNAS")

    name: Literal["pnas"] = "pnas"
    groups: tuple[tuple[str, ...], ...] = ()
    """Groups of decision paths in the order in which they are opened; empty: the order that the system gives its space."""
    first: int = 16
    """Trials of the first group; fewer where it has fewer architectures."""
    beam: int = 8
    """Trials of each later group."""
    predictor: MLPSettings = MLPSettings()
    """What ranks the candidates."""

    def refusal(self, problem: Problem) -> str:
        """See `common.engines.base.Engine.refusal`."""
        if self.groups or problem.order:
            return ""
        return (
            "the space has no order in which its decisions are opened; give one, "
            """--set 'search.engine.groups=[["decision", ...], ...]', or another engine"""
        )

    def parameters(self, problem: Problem) -> dict[str, Any]:
        """See `Plain.parameters`."""
        from common.search.pnas import by_decisions

        return {
            "levels": by_decisions(problem.space, self.groups or problem.order or (), problem.baseline),
            "predictor": self.predictor.predictor(problem.space),
            "first": self.first,
            "beam": self.beam,
        }
