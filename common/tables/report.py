"""A study of search engines on a user's table: what each engine finds, compared with random search."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from common.errors import UserError
from common.objective import Objective
from common.search.base import Proposal, Searcher, Trial
from common.space import Arch
from common.streams import stream
from common.tables.own import OwnTable
from common.tables.study import Make, Summary, study, summary
from common.tables.table import Table

RANDOM = "random"
"""Name of random search, the yardstick of every study."""
NOISE = 2.0
"""A difference of means is beyond noise if it exceeds this many standard errors of the difference."""

Verdict = Literal["better", "worse", "within noise", "unknown", "yardstick"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One engine after a number of queries.

    Attributes:
        queries: Number of evaluated architectures.
        best: Best score so far, summarised over the seeds.
        regret: Mean distance of the best score so far from the best row of the table; 0 or more.
        difference: Mean of the engine minus mean of random search.
        error: Standard error of `difference`; infinite with a single seed.
        verdict: How the engine compares with random search; "unknown" with a single seed.
    """

    queries: int
    best: Summary
    regret: float
    difference: float
    error: float
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineRow:
    """One engine of a study.

    Attributes:
        name: Of the engine.
        points: One for each number of queries, rising; empty if the engine cannot search the table.
        reason: Why the engine cannot search the table; empty otherwise.
    """

    name: str
    points: tuple[Point, ...] = ()
    reason: str = ""


@dataclass(slots=True)
class RandomRows:
    """Random search over the rows of a table, without repetition.

    It proposes what `common.search.random.RandomSearch` proposes under `own.feasible`: every row with the same probability. It
    samples rows, not combinations of labels, so that it is as fast on a table with few rows of a huge space.
    """

    own: OwnTable
    seed: int
    _left: list[tuple[int, ...]] = field(init=False)
    _told: set[Arch] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        self._left = list(self.own.index.rows)
        stream(self.seed, "random rows").shuffle(self._left)

    @property
    def objectives(self) -> Sequence[Objective]:
        """See `Searcher.objectives`."""
        return [self.own.table.objective]

    def ask(self, n: int) -> list[Proposal]:
        """See `Searcher.ask`."""
        batch: list[Proposal] = []
        while self._left and len(batch) < n:
            options = zip(self.own.index.paths, self._left.pop(), strict=True)
            arch = Arch(dict(options))
            if arch not in self._told:
                batch.append(Proposal(arch=arch))
        return batch

    def tell(self, trials: Sequence[Trial]) -> None:
        """See `Searcher.tell`."""
        self._told.update(trial.arch for trial in trials)


def study_table(
    own: OwnTable, makers: Mapping[str, Make], queries: Sequence[int], seeds: int, workers: int = 0
) -> list[EngineRow]:
    """Runs engines on a user's table, with seeds 0 to `seeds` - 1 each.

    Random search is always the first row. A maker named "random" replaces the built-in one. An engine that raises `UserError` is
    listed with its reason, and the study continues.

    Args:
        own: The table.
        makers: Engine name -> a function of (table, seed) that makes a searcher. `Table` does not say which architectures have a
            row: the function must give its searcher `own.feasible`, which it knows by itself, e.g. as
            `functools.partial(make_aging, own.feasible)`. With workers it must be possible to pickle the function.
        queries: Numbers of queries to report. Above the number of rows, every row has been evaluated.
        seeds: Number of runs per engine.
        workers: Number of processes; 0 runs everything in this process. Results do not depend on it.

    Raises:
        UserError: No seeds or no queries; or random search itself fails.
    """
    if seeds < 1 or not queries or min(queries) < 1:
        raise UserError(
            f"a study of {seeds} seeds at {list(queries)} queries: give at least 1 seed and numbers of queries from 1 on"
        )
    at = sorted(set(queries))
    yardstick: Sequence[Point] = ()
    rows: list[EngineRow] = []
    for name, make in {RANDOM: partial(_random, own), **makers}.items():
        try:
            row = _row(own, name, make, at, seeds, workers, yardstick)
        except UserError as error:
            if name == RANDOM:
                raise
            row = EngineRow(name=name, reason=str(error))
        yardstick = yardstick or row.points
        rows.append(row)
    return rows


def _random(own: OwnTable, table: Table, seed: int) -> Searcher:
    return RandomRows(own, seed)


def _row(
    own: OwnTable, name: str, make: Make, at: Sequence[int], seeds: int, workers: int, yardstick: Sequence[Point]
) -> EngineRow:
    budget = min(at[-1], own.rows)
    best = study(own.table, make, range(seeds), budget, workers).best
    top, direction = best_row(own), own.table.objective.direction
    points = []
    for i, query in enumerate(at):
        here = summary(best, min(query, budget))
        base = yardstick[i].best if yardstick else here
        error = math.hypot(here.error, base.error)
        points.append(
            Point(
                queries=query,
                best=here,
                regret=abs(top - here.mean),
                difference=here.mean - base.mean,
                error=math.inf if math.isnan(error) else error,
                verdict=_verdict(here, base, direction == "max") if yardstick else "yardstick",
            )
        )
    return EngineRow(name=name, points=tuple(points))


def _verdict(here: Summary, base: Summary, maximise: bool) -> Verdict:
    error = math.hypot(here.error, base.error)
    if math.isnan(error) or math.isnan(here.mean) or math.isnan(base.mean):
        return "unknown"
    if abs(here.mean - base.mean) <= NOISE * error:
        return "within noise"
    return "better" if (here.mean > base.mean) == maximise else "worse"


def best_row(own: OwnTable) -> float:
    """Best score in the table."""
    table = own.table
    column = table.scores[table.fidelity][table.objective.name]
    return float(column.max() if table.objective.direction == "max" else column.min())


def as_text(rows: Sequence[EngineRow], own: OwnTable) -> str:
    """The study as Markdown that also reads as plain text: a table for each number of queries, then one sentence."""
    table = own.table
    column = table.scores[table.fidelity][table.objective.name]
    decimals = _decimals(float(column.max() - column.min()))
    ran = [row for row in rows if row.points]
    better = "higher" if table.objective.direction == "max" else "lower"
    seeds = ran[0].points[0].best.seeds
    failed = f" Failed rows left out: {own.failed:,}." if own.failed else ""
    lines = [
        f"{_plain(table.title)}: {own.rows:,} architectures of {own.combinations:,} combinations.{failed} Objective: "
        f"{_plain(table.objective.name)}, {better} is better; the best row has {best_row(own):.{decimals}f}. "
        f"Seeds per engine: {seeds}. A difference counts as beyond noise above {NOISE:g} standard errors."
    ]
    for i, point in enumerate(ran[0].points):
        whole = " (the whole table)" if point.queries >= own.rows else ""
        lines += [
            "",
            f"After {_queries(point.queries)}{whole}:",
            "",
            *_aligned([_HEAD, *(_cells(row, i, decimals) for row in ran)]),
        ]
    lines += ["", sentence(rows, decimals)]
    if left_out := [row for row in rows if not row.points]:
        lines += ["", "Engines that cannot search this table:", ""]
        lines += [f"- {_plain(row.name)}: {_plain(row.reason)}" for row in left_out]
    return "\n".join(lines) + "\n"


def sentence(rows: Sequence[EngineRow], decimals: int = 3) -> str:
    """How the engines compare with random search after the largest number of queries, in one sentence."""
    others = [(row.name, row.points[-1]) for row in rows if row.points and row.points[-1].verdict != "yardstick"]
    if not others:
        return "No other engine ran, so nothing is compared with random search."
    if all(point.verdict == "unknown" for _, point in others):
        return "Nothing can be said about noise: run at least two seeds."
    parts = []
    for verdict in ("better", "worse"):
        found = [
            f"{_plain(name)} (by {abs(point.difference):.{decimals}f} ± {point.error:.{decimals}f})"
            for name, point in others
            if point.verdict == verdict
        ]
        if found:
            parts.append(f"{_and(found)} {'is' if len(found) == 1 else 'are'} {verdict} than random search beyond noise")
    if level := [_plain(name) for name, point in others if point.verdict in ("within noise", "unknown")]:
        parts.append(f"{_and(level)} cannot be distinguished from random search")
    return f"After {_queries(others[0][1].queries)}, {'; '.join(parts)}."


_HEAD = ("engine", "best score, mean ± standard error", "10 % to 90 %", "regret", "difference from random", "verdict")


def _cells(row: EngineRow, i: int, decimals: int) -> tuple[str, ...]:
    point = row.points[i]
    best = point.best

    def shown(value: float, sign: str = "") -> str:
        return f"{value:{sign}.{decimals}f}" if math.isfinite(value) else "-"

    return (
        _plain(row.name),
        f"{shown(best.mean)} ± {shown(best.error)}",
        f"{shown(best.low)} to {shown(best.high)}",
        shown(point.regret),
        "-" if point.verdict == "yardstick" else f"{shown(point.difference, '+')} ± {shown(point.error)}",
        "-" if point.verdict == "yardstick" else point.verdict,
    )


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table whose columns stand below each other."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    head, *body = (f"| {' | '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))} |" for row in rows)
    return [head, f"|{'|'.join('-' * (width + 2) for width in widths)}|", *body]


def _decimals(span: float) -> int:
    """Decimals at which scores of this span have four significant digits; at most 12."""
    return 3 if span <= 0 else min(12, max(0, 3 - math.floor(math.log10(span))))


def _plain(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _queries(n: int) -> str:
    return "1 query" if n == 1 else f"{n:,} queries"


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
