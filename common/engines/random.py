"""Random search as an engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from common.deferred import Deferred
from common.engines.base import Plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Random(Plain):
    """Uniform random architectures, none twice: the yardstick of every other engine; see `common.search.random`."""

    title: ClassVar[str] = "random search"
    paper: ClassVar[str] = "arXiv:1902.07638"
    searching: ClassVar[Deferred] = Deferred("common.search.random", "RandomSearch")

    name: Literal["random"] = "random"
