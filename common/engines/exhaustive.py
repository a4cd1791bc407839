"""Exhaustive search as an engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from common.deferred import Deferred
from common.engines.base import Plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhaustive(Plain):
    """Every feasible architecture once, in random order; its number of trials is that of the architectures."""

    title: ClassVar[str] = "exhaustive search"
    paper: ClassVar[str] = "arXiv:2003.08936"
    searching: ClassVar[Deferred] = Deferred("common.search.exhaustive", "Exhaustive")

    name: Literal["exhaustive"] = "exhaustive"
