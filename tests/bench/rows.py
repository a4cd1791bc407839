"""What a measurement is, and the page it goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One promise, or a figure that nothing is promised of, and what was measured.

    Attributes:
        what: is measured.
        unit: of target and values; empty for ratios.
        values: repeated measurements; their median counts.
        target: the limit; None promises nothing.
        bound: the least that can be, where a figure is told beside what limits it.
        least: the target is a lower bound, not an upper one.
        note: how it was measured.
    """

    what: str
    unit: str
    values: Sequence[float]
    target: float | None = None
    bound: float | None = None
    least: bool = False
    note: str = ""

    @property
    def measured(self) -> float:
        """The median."""
        return median(self.values)

    @property
    def spread(self) -> tuple[float, float]:
        """The quartiles."""
        if len(self.values) < 2:
            return self.measured, self.measured
        low, _, high = quantiles(self.values, n=4, method="inclusive")
        return low, high

    @property
    def passed(self) -> bool:
        """Whether the median keeps the target, if there is one."""
        if self.target is None:
            return True
        return self.measured >= self.target if self.least else self.measured <= self.target

    @property
    def distance(self) -> str:
        """How far from the target or the bound, in words."""
        if self.target is None:
            return "" if self.bound is None else f"{self.measured / self.bound:.1f} times the least, {shown(self.bound)}"
        if not self.unit:
            points = 100 * (self.target - self.measured)
            return f"{abs(points):.1f} points {'below' if points >= 0 else 'above'} the limit"
        times = self.measured / self.target if self.least else self.target / self.measured
        if times >= 1:
            return f"{times:.1f} times better than asked"
        return f"{1 / times:.2f} times worse than asked"


def shown(value: float) -> str:
    """A number with about three digits."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}" if abs(value) < 1 else f"{value:.3f}"


def page(rows: Sequence[Row], environment: dict[str, Any], date: str, command: str) -> str:
    """The Markdown page."""
    machine, versions = environment["machine"], environment["versions"]
    lines = [
        "# Speed",
        "",
        f"Measured on {date} by `{command}` on {machine['cpu']} ({machine['cores']} cores, {machine['memory_gib']} GiB), "
        f"{machine['system']}, Python {versions['python']}, torch {versions['torch']} with {machine['torch_threads']} thread.",
        "Each figure is a median over interleaved repeats in one process; the quartiles stand beside it.",
        "",
        "| what | target | measured | quartiles | kept | distance |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        unit = f" {row.unit}" if row.unit else ""
        target = "none" if row.target is None else f"{'at least' if row.least else 'at most'} {shown(row.target)}{unit}"
        kept = "" if row.target is None else "yes" if row.passed else "**no**"
        low, high = row.spread
        lines.append(
            f"| {row.what} | {target} | **{shown(row.measured)}**{unit} | {shown(low)} to {shown(high)} "
            f"(n={len(row.values)}) | {kept} | {row.distance} |"
        )
    lines += ["", "How each was measured:", ""]
    lines += [f"- {row.what}: {row.note}" for row in rows if row.note]
    return "\n".join(lines) + "\n"
