"""The page on search engines: what was measured on each table, in words and figures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from common.tables.study import Study, Summary, summary
from common.tables.table import Table

VERDICT = 150
"""Queries at which the engines are compared."""
ROUNDING = 1e-9
"""Means of the same numbers in another order differ by less."""
NOISE = 2.0
"""A difference counts from so many standard errors on."""
ANCHOR_QUERIES = 100
"""About as many as the published budget of 12,000 s of training allows at 12 epochs a network."""
ANCHORS = {
    "nasbench201-cifar10": {"random": (93.70, 0.36), "aging": (93.92, 0.30), "reinforce": (93.85, 0.37)},
    "nasbench201-cifar100": {"random": (71.04, 1.07), "aging": (71.84, 0.99), "reinforce": (71.71, 1.12)},
    "nasbench201-imagenet16-120": {"random": (44.57, 1.25), "aging": (45.54, 1.03), "reinforce": (45.24, 1.18)},
}
"""Table -> engine -> mean and standard deviation of the test accuracy that NAS-Bench-201's authors found over 500 runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One engine on one table; `study` is None where it cannot search the table."""

    name: str
    title: str
    settings: str
    study: Study | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """Volumes on one table and device: method -> shape (seeds, len(at)), ours first."""

    table: str
    device: str
    at: Sequence[int]
    volumes: Mapping[str, np.ndarray]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One table with all its engines."""

    table: Table
    entries: Sequence[Entry]
    picture: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Where the page comes from.

    Attributes:
        command: That made it.
        date: Of the page.
        environment: Of `common.run.environment`.
        commits: Of the code that made the runs, those of earlier times included.
        queries: Columns of the tables.
        seeds: Asked for.
        missing: What is not on the page, one line for each.
    """

    command: str
    date: str
    environment: Mapping[str, Any]
    commits: Sequence[str]
    queries: Sequence[int]
    seeds: int
    missing: Sequence[str] = field(default=())


def shown(found: Summary) -> str:
    """Mean, standard error and standard deviation."""
    if math.isnan(found.mean):
        return "-"
    if math.isnan(found.std):
        return f"{found.mean:.2f}"
    return f"{found.mean:.2f} ± {found.error:.2f} (std {found.std:.2f})"


def row(entry: Entry, queries: Sequence[int]) -> str:
    """An engine's line of a table."""
    if entry.study is None:
        return f"| {entry.title} | {' | '.join('does not fit' for _ in queries)} | - | - | - |"
    cells = " | ".join(shown(summary(entry.study.result, query)) for query in queries)
    seen = summary(entry.study.best, min(VERDICT, max(queries)))
    return f"| {entry.title} | {cells} | {shown(seen)} | {1000 * entry.study.seconds:.2f} | {len(entry.study.runs)} |"


def head(queries: Sequence[int]) -> list[str]:
    """The first two lines of a table of engines."""
    columns = " | ".join(f"{query} queries" for query in queries)
    seen = f"objective at {min(VERDICT, max(queries))}"
    return [f"| engine | {columns} | {seen} | ms per query | seeds |", f"|---|{'---|' * len(queries)}---|---:|---:|"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Apart:
    """The best engine besides random search and aging evolution, and who is worse than random search.

    Attributes:
        at: Queries.
        best: Title of the best engine; "" where there is none.
        ahead: Of aging evolution, in units of the result; above 0 is better. nan where nothing is compared.
        error: Standard error of that.
        worse: (title, difference, its standard error) of each that is behind random search by more than `NOISE` errors.
    """

    at: int
    best: str
    ahead: float
    error: float
    worse: Sequence[tuple[str, float, float]]

    @property
    def word(self) -> str:
        """Where the best is seen from aging evolution."""
        enough = self.error + ROUNDING
        return "ahead of" if self.ahead > enough else "behind" if self.ahead < -enough else "level with"


def apart(section: Section, queries: int) -> Apart:
    """How the engines compare on a table."""
    at = min(VERDICT, queries)
    sign = -1.0 if section.table.result.direction == "min" else 1.0
    found = {entry.name: (entry.title, summary(entry.study.result, at)) for entry in section.entries if entry.study}
    known = {name: pair for name, pair in found.items() if not math.isnan(pair[1].mean)}
    others = {name: pair for name, pair in known.items() if name not in ("random", "aging")}
    title, ahead, error = "", math.nan, math.nan
    if "aging" in known and others:
        title, best = max(others.values(), key=lambda pair: sign * pair[1].mean)
        ahead, error = sign * (best.mean - known["aging"][1].mean), _error(best, known["aging"][1])
    worse = []
    if "random" in known:
        base = known["random"][1]
        behind = [(title, sign * (s.mean - base.mean), _error(s, base)) for name, (title, s) in known.items() if name != "random"]
        worse = [(title, less, noise) for title, less, noise in behind if less < -NOISE * noise - ROUNDING]
    return Apart(at=at, best=title, ahead=ahead, error=error, worse=worse)


def verdict(section: Section, queries: int) -> list[str]:
    """Who is ahead of aging evolution, and who is behind random search, in sentences."""
    found, lines = apart(section, queries), []
    if found.best:
        difference = f"{found.ahead:+.3f} ± {found.error:.3f}"
        lines.append(
            f"At {found.at} queries the best of the others, {found.best}, is {found.word} aging evolution: {difference}."
        )
    if any(entry.name == "random" and entry.study for entry in section.entries):
        said = "; ".join(f"{title} ({less:+.3f} ± {noise:.3f})" for title, less, noise in found.worse) or "none"
        lines.append(f"Worse than random search at {found.at} queries by more than {NOISE:g} standard errors: {said}.")
    return lines


def overview(sections: Sequence[Section], queries: int) -> list[str]:
    """One line for each table."""
    lines = [
        "",
        f"At {min(VERDICT, queries)} queries, result of the best engine other than aging evolution less that of aging evolution "
        f"± standard error, and what is behind random search by more than {NOISE:g} standard errors. The best is chosen by the "
        "same runs, which favours it: of ten equal engines the best would seem ahead by about 1.5 errors of its own.",
        "",
        "| table | best of the others | ahead of aging evolution | in errors | behind random search |",
        "|---|---|---:|---:|---|",
    ]
    for section in sections:
        found = apart(section, queries)
        difference = f"{found.ahead:+.3f} ± {found.error:.3f}" if found.best else "-"
        errors = f"{found.ahead / found.error:+.1f}" if found.best and ROUNDING < found.error < math.inf else "-"
        worse = "; ".join(title for title, _, _ in found.worse) or "none"
        lines.append(f"| {section.table.title} | {found.best or '-'} | {difference} | {errors} | {worse} |")
    return lines


def ceiling(table: Table) -> str:
    """How good the objective's favourite is by the result, and how good the best network is."""
    columns = table.scores[table.fidelity]
    seen, result = columns[table.objective.name], columns[table.result.name]
    favourite = float(result[int(np.argmax(seen) if table.objective.direction == "max" else np.argmin(seen))])
    best = float(result.max() if table.result.direction == "max" else result.min())
    return f"The network that is best by the objective has a result of {favourite:.2f}; the best of the table has {best:.2f}."


def anchors(section: Section, queries: int) -> list[str]:
    """Ours beside what the benchmark's authors published."""
    published = ANCHORS.get(section.table.name, {})
    if not published or queries < ANCHOR_QUERIES:
        return []
    lines = [
        "",
        f"Published (NAS-Bench-201, 500 runs of 12,000 s, about {ANCHOR_QUERIES} queries) and ours at {ANCHOR_QUERIES} queries:",
        "",
        "| engine | published | ours | difference in published standard deviations |",
        "|---|---|---|---:|",
    ]
    for entry in section.entries:
        if entry.study and entry.name in published:
            mean, std = published[entry.name]
            ours = summary(entry.study.result, ANCHOR_QUERIES)
            lines.append(
                f"| {entry.title} | {mean:.2f} ± {std:.2f} | {ours.mean:.2f} ± {ours.std:.2f} | {(ours.mean - mean) / std:+.2f} |"
            )
    return lines if len(lines) > 5 else []


def front_rows(front: Front) -> list[str]:
    """The table of one device."""
    lines = [f"| {front.device} | {' | '.join(f'{query} queries' for query in front.at)} | seeds |"]
    lines.append(f"|---|{'---|' * len(front.at)}---:|")
    for method, values in front.volumes.items():
        cells = [summary(100 * values, i + 1) for i in range(len(front.at))]
        lines.append(f"| {method} | {' | '.join(shown(cell) for cell in cells)} | {len(values)} |")
    name, *others = front.volumes
    ours, last = summary(100 * front.volumes[name], len(front.at)), front.at[-1]
    apart = [(other, summary(100 * front.volumes[other], len(front.at))) for other in others]
    ahead = [f"{other} {ours.mean - found.mean:+.2f} ± {_error(ours, found):.2f}" for other, found in apart]
    return [*lines, "", f"{name} at {last} queries, difference to others: {'; '.join(ahead)}."]


def page(facts: Facts, sections: Sequence[Section], fronts: Sequence[Front], front_note: str, remarks: Sequence[str] = ()) -> str:
    """The Markdown page."""
    machine, versions = facts.environment["machine"], facts.environment["versions"]
    most = max(facts.queries)
    lines = [
        "# Search engines on benchmark tables",
        "",
        f"Made on {facts.date} by `{facts.command}` on {machine['cpu']} ({machine['cores']} cores, {machine['memory_gib']} GiB), "
        f"{machine['system']}, Python {versions['python']}, torch {versions['torch']}, numpy {versions['numpy']}; one torch "
        f"thread a process. Commit of the runs: {', '.join(facts.commits) or 'unknown'}.",
        "",
        "An engine sees the objective of the network it asks for; the best so far by the objective is judged by the result, "
        "which no engine looks at; one column has the objective itself. "
        "A query is an evaluation at the table's default fidelity, others are charged by their epochs. "
        "Figures: mean over the seeds ± its standard error (standard deviation over the seeds); time per query is the median "
        "over the seeds of processor time, which for a process of one thread is wall-clock time on a machine that does nothing "
        f"else. {facts.seeds} seeds are asked for; expensive engines, and all on tables that nothing is claimed about, have "
        "fewer, as the last column says.",
    ]
    if facts.missing:
        lines += ["", "Not on this page:", "", *(f"- {line}" for line in facts.missing)]
    lines += overview(sections, most)
    lines += [f"\n- {remark}" if i == 0 else f"- {remark}" for i, remark in enumerate(remarks)]
    for section in sections:
        table = section.table
        lines += [
            "",
            f"## {table.title}",
            "",
            f"Objective `{table.objective.name}` at {table.fidelity}, result `{table.result.name}` [{table.result.unit}], "
            f"{table.result.direction}imised.",
            "",
            ceiling(table),
            "",
            *head(facts.queries),
            *(row(entry, facts.queries) for entry in section.entries),
            "",
            *verdict(section, most),
            *anchors(section, most),
            "",
            f"![{table.title}: mean and quantiles by number of queries]({section.picture})",
        ]
    if fronts:
        lines += ["", "## Accuracy against latency", "", front_note]
    for front in fronts:
        lines += ["", f"{front.table}, hypervolume in percent of the table's own front:", "", *front_rows(front)]
    lines += ["", "## Settings", ""]
    said: dict[str, dict[str, list[str]]] = {}
    for section in sections:
        for entry in section.entries:
            if entry.study:
                said.setdefault(entry.title, {}).setdefault(entry.settings, []).append(section.table.name)
    for title, by_settings in said.items():
        for settings, tables in by_settings.items():
            where = "" if len(by_settings) == 1 else f" ({', '.join(tables)})"
            lines.append(f"- {title}{where}: {settings}.")
    return "\n".join(lines) + "\n"


def _error(a: Summary, b: Summary) -> float:
    """Standard error of the difference of two means of independent runs; infinite with a single seed, which shows nothing."""
    error = math.hypot(a.error, b.error)
    return math.inf if math.isnan(error) else error
