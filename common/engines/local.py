"""Local search as an engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from common.deferred import Deferred
from common.engines.base import Plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Local(Plain):
    """Hill climbing over neighbours that differ in one decision; see `common.search.local_search`."""

    title: ClassVar[str] = "local search"
    paper: ClassVar[str] = "arXiv:2005.02960"
    searching: ClassVar[Deferred] = Deferred("common.search.local_search", "LocalSearch")

    name: Literal["local"] = "local"
    move: Literal["first", "best"] = "first"
    """Move to the first better neighbour, or to the best of all neighbours."""
    children: int = 2
    """Neighbours evaluated together."""
    starts: int = 1
    """Random architectures of which the best begins a climb."""
