"""NSGA-II as an engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from common.deferred import Deferred
from common.engines.base import Plain


@dataclass(frozen=True, slots=True, kw_only=True)
class NSGA2(Plain):
    """Non-dominated sorting with crowding over all objectives: its result is a front; see `common.search.nsga2`."""

    title: ClassVar[str] = "NSGA-II"
    paper: ClassVar[str] = "https://doi.org/10.1109/4235.996017"
    searching: ClassVar[Deferred] = Deferred("common.search.nsga2", "NSGA2")
    several: ClassVar[bool] = True

    name: Literal["nsga2"] = "nsga2"
    population: int = 20
    """Size of the first generation, and of the survivors."""
    children: int | None = None
    """Size of a later generation; None: that of the population."""
    crossing: float = 0.9
    """Probability that a child has two parents."""
    redrawn: float = 1.0
    """Mean number of decisions that a child samples anew."""
