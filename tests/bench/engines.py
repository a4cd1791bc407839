"""The engines that are compared on tables: how each is made, and for how many seeds at most.

A new engine is a function of (table, seed) and a line in `ENGINES`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

from common.search.aging_evolution import AgingEvolution
from common.search.base import Searcher
from common.search.random import RandomSearch
from common.search.topk_evolution import TopKEvolution
from common.tables.study import Make
from common.tables.table import Table

SHARED = ("space", "objectives", "seed", "feasible", "rule", "canonical")
"""What every searcher is given alike: not a setting of the engine."""


def anywhere(table: Table) -> bool:
    """Fits every table."""
    return True


def with_graph(table: Table) -> bool:
    """Fits tables whose networks are told apart by a cell."""
    return table.graph is not None


def with_fidelities(table: Table) -> bool:
    """Fits tables with several fidelities."""
    return len(table.scores) > 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """One engine.

    Attributes:
        title: What the page calls it.
        make: Makes the searcher: a module-level function, for it is sent to other processes.
        seeds: At most so many, for an engine that is expensive; None for as many as are asked for.
        fits: Which tables it can search.
    """

    title: str
    make: Make
    seeds: int | None = None
    fits: Callable[[Table], bool] = anywhere

    def settings(self, table: Table) -> str:
        """The settings that it has on this table, as text."""
        return settings(self.make(table, 0))


def settings(searcher: Searcher) -> str:
    """Name = value of what is set in a searcher, besides what all are given."""
    shown = [
        f"{field.name} = {getattr(searcher, field.name)!r}"
        for field in fields(searcher)  # pyright: ignore[reportArgumentType]
        if field.init and field.name not in SHARED
    ]
    return ", ".join(shown) or "none"


def random(table: Table, seed: int) -> Searcher:
    """Uniform, without repetition."""
    return RandomSearch(table.space, [table.objective], seed=seed, canonical=table.canonical)


def aging(table: Table, seed: int) -> Searcher:
    """As the authors of NAS-Bench-201 set it: R_EA.py, population 10, tournaments of 3."""
    return AgingEvolution(
        table.space, [table.objective], seed=seed, canonical=table.canonical, population=10, tournament=3, children=1
    )


def topk(table: Table, seed: int) -> Searcher:
    """Generations of 20 instead of 50, so that 50 queries are more than one."""
    return TopKEvolution(
        table.space, [table.objective], seed=seed, canonical=table.canonical, population=20, mutants=8, crossovers=8, parents=10
    )


ENGINES: dict[str, Engine] = {
    "random": Engine(title="random search", make=random),
    "aging": Engine(title="aging evolution", make=aging),
    "topk": Engine(title="top-k evolution", make=topk),
}
"""Name -> engine, in the order of the page. The page measures the others against `random` and `aging`."""
