"""Aging evolution as an engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from common.deferred import Deferred
from common.engines.base import Plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Aging(Plain):
    """Tournaments in a population whose oldest member dies; see `common.search.aging_evolution`."""

    title: ClassVar[str] = "aging evolution"
    paper: ClassVar[str] = "arXiv:1802.01548"
    searching: ClassVar[Deferred] = Deferred("common.search.aging_evolution", "AgingEvolution")

    name: Literal["aging"] = "aging"
    population: int = 20
    """Number of youngest trials that are alive."""
    tournament: int = 5
    """Number of them that compete to be the parent."""
    children: int = 2
    """Candidates made from the same population and evaluated together."""
