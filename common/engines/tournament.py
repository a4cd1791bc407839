"""Tournament evolution as an engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from common.deferred import Deferred
from common.engines.base import Plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Tournament(Plain):
    """Tournaments among a share of all trials, of which none is removed; see `common.search.hierarchical_evolution`."""

    title: ClassVar[str] = "tournament evolution"
    paper: ClassVar[str] = "arXiv:1711.00436"
    searching: ClassVar[Deferred] = Deferred("common.search.hierarchical_evolution", "TournamentEvolution")

    name: Literal["tournament"] = "tournament"
    population: int = 20
    """Random trials before the first tournament."""
    share: float = 0.3
    """Share of the population that competes to be the parent, in (0, 1]."""
    children: int = 2
    """Candidates made from the same population and evaluated together."""
