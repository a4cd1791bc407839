"""Engines on a user's table of architectures and scores: what each finds, without training anything."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Literal

from common.engines import Controller, Gradient, Problem, SampledEngine
from common.errors import UserError
from common.listing import engine_kinds
from common.objective import Objective
from common.search.base import Searcher
from common.space import Arch
from common.tables.own import OwnTable, read_table
from common.tables.report import as_text, study_table
from common.tables.table import Table


def study(
    file: Path,
    objective: str,
    *,
    direction: Literal["max", "min"] = "max",
    costs: Sequence[str] = (),
    engines: Sequence[str] = (),
    queries: Sequence[int] = (50, 100),
    seeds: int = 20,
    workers: int = 0,
) -> str:
    """A table of what every engine finds on the rows of a file, as Markdown.

    Args:
        file: CSV or JSONL file of architectures and scores; see `common.tables.own`.
        objective: the score that engines follow.
        direction: whether the largest or the smallest score is best.
        costs: costs in the table that engines of several objectives make small.
        engines: names of the engines; all by default.
        queries: numbers of looked up architectures to report at.
        seeds: searches with each engine.
        workers: processes; results do not depend on their number.

    Raises:
        UserError: the file, a name or a number cannot be used.
    """
    known = {kind().name: kind() for kind in engine_kinds() if kind not in (Gradient, Controller)}
    if unknown := [name for name in engines if name not in known]:
        raise UserError(f"--engines {unknown[0]}: there is no such engine; choose among {', '.join(known)}")
    if seeds < 1 or not queries or min(queries) < 1:
        raise UserError(f"--seeds {seeds} --queries {list(queries)}: give 1 or more of each")
    if workers < 0:
        raise UserError(f"--workers {workers}: give 0 (this process alone) or more")
    own = read_table(file, objective, direction, costs)
    makers = {name: partial(_searcher, known[name], own, tuple(costs)) for name in engines or known if name != "random"}
    return as_text(study_table(own, makers, sorted(set(queries)), seeds, workers), own)


def _searcher(engine: SampledEngine, own: OwnTable, costs: Sequence[str], table: Table, seed: int) -> Searcher:
    """The searcher of an engine on a user's table.

    Raises:
        UserError: the engine cannot search it.
    """
    if engine.needs_shares:
        raise UserError("the table has one score for each architecture, not one for each share of a training")
    whole = own.rows == own.combinations
    problem = Problem(
        space=table.space,
        objectives=(table.objective, *(Objective(name, "min") for name in costs)),
        baseline=Arch(dict(zip(own.index.paths, next(iter(own.index.rows)), strict=True))),
        seed=seed,
        feasible=None if whole else own.feasible,
        rule="" if whole else f"a row in {own.index.source}",
        order=[[path] for path in own.index.paths],  # that of the columns, for progressive search
    )
    if why := engine.refusal(problem):
        raise UserError(why)
    return engine.searcher(problem)
