"""Charts as inline SVG that takes its colours from the page, so one picture serves the light and the dark theme.

matplotlib draws with stand-in colours which become CSS variables afterwards; text stays text. Legends are the page's
business. The same numbers always give the same bytes: no dates, hashed ids.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup, escape
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from common.run.report.figures import sampled, stairs
from common.run.report.findings import Team
from common.run.report.text import number

Point = tuple[float, float]
MOST_DOTS = 2000
"""Dots of a kind in a chart: each is a line of the report's text."""
MOST_STEPS = 500
"""Steps of a stair in a chart."""

ROLES = ("ink", "muted", "rule", "card", "search", "random", "baseline", "limit")
_STAND_IN = {role: f"#0101{index:02x}" for index, role in enumerate(ROLES, start=1)}
_WIDTH = 4.9
_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # a `$` in a metric's name is a `$`
    "axes.unicode_minus": True,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.0,
}


def trade_off(
    *,
    search: Sequence[Point],
    random: Sequence[Point],
    front: Sequence[Point],
    marked: Sequence[tuple[Point, str]],
    limits: Sequence[float],
    score: str,
    cost: str,
    maximise: bool,
) -> Markup:
    """Score against cost of every trial, the front as a stair, the constraint as an upright line, rings around `marked`."""
    figure, axes = _canvas(3.5)
    axes.scatter(*_columns(sampled(random, MOST_DOTS)), s=20, c=_STAND_IN["random"], alpha=0.75, linewidths=0, marker="D")
    axes.scatter(*_columns(sampled(search, MOST_DOTS)), s=20, c=_STAND_IN["search"], alpha=0.7, linewidths=0)
    xs, ys = _columns(sampled(front, MOST_STEPS))
    axes.step(xs, ys, where="post", color=_STAND_IN["search"], linewidth=1.8, alpha=0.9)
    for limit in limits:
        axes.axvline(limit, color=_STAND_IN["limit"], linewidth=1.4, dashes=(4, 3))
    for (x, y), role in marked:
        axes.scatter([x], [y], s=90, facecolors="none", edgecolors=_STAND_IN[role], linewidths=2.0)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    side = "above" if maximise else "below"
    label = (
        f"Scatter chart of {score} against {cost}: {len(search)} trials of the search, {len(random)} of random search, "
        f"{len(front)} on the front. Better is {side} and to the left."
    )
    return _svg(figure, axes, f"trade-off {cost}", x=cost, y=score, label=label)


def progress(*, search: Sequence[float | None], random: Sequence[float | None], score: str) -> Markup:
    """The best score so far against the number of trials, for the search and for random search."""
    figure, axes = _canvas(3.5)
    for curve, role, width in ((random, "random", 1.8), (search, "search", 2.4)):
        points = stairs(curve, MOST_STEPS)
        if points:
            axes.step(*_columns(points), where="post", color=_STAND_IN[role], linewidth=width)
            axes.scatter([points[-1][0]], [points[-1][1]], s=26, c=_STAND_IN[role], linewidths=0, zorder=3)
    axes.set_xlim(0, max(len(search), len(random), 1) * 1.03)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    label = f"Line chart of the best {score} found so far over {len(search)} trials, search and random search."
    return _svg(figure, axes, "progress", x="trials", y=f"best {score} so far", label=label)


def loss(*, stage: str, metric: str, raw: Sequence[Point], smooth: Sequence[Point]) -> Markup:
    """One stage's loss by step: every logged value faint, a running mean on top if there is one; log axis where it falls far."""
    figure, axes = _canvas(2.7)
    axes.plot(*_columns(raw), color=_STAND_IN["search"], linewidth=0.9, alpha=0.3)
    axes.plot(*_columns(smooth or raw), color=_STAND_IN["search"], linewidth=2.0)
    if len(raw) == 1:
        axes.scatter(*_columns(raw), s=26, c=_STAND_IN["search"], linewidths=0)
    values = [y for _, y in raw]
    if min(values) > 0 and max(values) > 30 * min(values):
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 3.0), numticks=6))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    label = f"Line chart of {metric} in stage {stage}: from {number(values[0])} to {number(values[-1])}."
    return _svg(figure, axes, f"loss {stage}", x="step", y=metric, label=label)


def seeds(*, groups: Sequence[Team], score: str) -> Markup:
    """Every retrained network a dot, one row per group, the mean a bar and one standard deviation a band."""
    figure, axes = _canvas(0.75 + 0.52 * len(groups))
    for row, group in enumerate(groups):
        y, colour = -row, _STAND_IN[group.role]
        axes.axhline(y, color=_STAND_IN["rule"], linewidth=1.0, zorder=0)
        mean, sd = group.summary.mean, group.summary.sd
        if sd is not None:
            axes.plot([mean - sd, mean + sd], [y, y], color=colour, linewidth=9, alpha=0.25, solid_capstyle="butt")
        axes.plot([mean, mean], [y - 0.17, y + 0.17], color=colour, linewidth=2.6, solid_capstyle="butt")
        axes.scatter(group.scores, [y] * len(group.scores), s=34, c=colour, alpha=0.85, linewidths=0, zorder=3)
        axes.text(
            0.0,
            y + 0.26,
            _printable(group.label),
            transform=axes.get_yaxis_transform(),
            color=_STAND_IN["ink"],
            va="bottom",
            parse_math=False,
        )
    axes.set_ylim(-len(groups) + 0.55, 0.85)
    figure.subplots_adjust(left=0.05 / _WIDTH, top=1.0)
    axes.yaxis.set_visible(False)
    axes.grid(visible=False)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    told = "; ".join(f"{group.label}: mean {number(group.summary.mean)}" for group in groups)
    return _svg(figure, axes, "seeds", x=score, y="", label=f"Dot chart of {score} after retraining. {told}.")


def retrained(*, groups: Sequence[Team], limits: Sequence[float], score: str, cost: str) -> Markup:
    """Mean score after retraining against cost, with one standard deviation as a whisker."""
    figure, axes = _canvas(3.5)
    for group in groups:
        if group.cost is not None:
            sd = group.summary.sd or 0.0
            colour = _STAND_IN[group.role]
            axes.errorbar([group.cost], [group.summary.mean], yerr=[sd], color=colour, linewidth=1.6, capsize=4)
            axes.scatter([group.cost], [group.summary.mean], s=60, c=colour, linewidths=0, zorder=3)
    for limit in limits:
        axes.axvline(limit, color=_STAND_IN["limit"], linewidth=1.4, dashes=(4, 3))
    axes.margins(x=0.15)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    label = f"Chart of mean {score} after retraining against {cost}, {len(groups)} networks with their spread."
    return _svg(figure, axes, f"retrained {cost}", x=cost, y=score, label=label)


def ranking(*, points: Sequence[tuple[Point, str]], score: str) -> Markup:
    """Score with inherited weights against score after retraining, one dot an architecture."""
    figure, axes = _canvas(3.5)
    for (x, y), role in points:
        axes.scatter([x], [y], s=60, c=_STAND_IN[role], alpha=0.85, linewidths=0)
    axes.margins(0.12)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    label = f"Scatter chart of {score} with inherited weights against {score} after retraining, {len(points)} networks."
    return _svg(figure, axes, "ranking", x=f"{score}, inherited weights", y=f"{score}, retrained", label=label)


def bars(*, title: str, rows: Sequence[tuple[str, float]]) -> Markup:
    """A bar for each row, from 0 to 1, with its text above it and its value beside it."""
    figure, axes = _canvas(0.75 + 0.42 * len(rows))
    for row, (text, value) in enumerate(rows):
        axes.barh(-row, value, height=0.26, color=_STAND_IN["search"], alpha=0.85)
        axes.text(0.0, 0.19 - row, _printable(text), color=_STAND_IN["ink"], va="bottom", parse_math=False)
        axes.text(value + 0.012, -row, f"{value:.2f}", color=_STAND_IN["muted"], va="center")
    axes.set_xlim(0, 1.1)
    axes.set_ylim(-len(rows) + 0.55, 0.85)
    figure.subplots_adjust(left=0.05 / _WIDTH, top=1.0)
    axes.yaxis.set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    told = "; ".join(f"{text} {value:.2f}" for text, value in rows)
    return _svg(figure, axes, f"bars {title}", x="", y="", label=f"Bar chart: {title}. {told}.")


def _columns(points: Sequence[Point]) -> tuple[list[float], list[float]]:
    return [x for x, _ in points], [y for _, y in points]


def _canvas(height: float) -> tuple[Figure, Axes]:
    with rc_context(_SETTINGS):
        figure = Figure(figsize=(_WIDTH, height))
        # fixed margins: one draw instead of two, and the axes of neighbouring charts line up
        figure.subplots_adjust(0.62 / _WIDTH, 0.55 / height, 1 - 0.12 / _WIDTH, 1 - 0.32 / height)
        figure.patch.set_alpha(0.0)
        axes = figure.add_subplot()
    axes.patch.set_alpha(0.0)
    axes.grid(color=_STAND_IN["rule"], linewidth=0.8)
    axes.set_axisbelow(True)
    axes.ticklabel_format(style="plain", useOffset=False)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(_STAND_IN["muted"])
    axes.tick_params(colors=_STAND_IN["muted"], length=0, pad=5, which="both")
    return figure, axes


def _svg(figure: Figure, axes: Axes, name: str, *, x: str, y: str, label: str) -> Markup:
    """Write the figure as an SVG element that scales with its box, is named for screen readers and holds no ids twice."""
    axes.set_xlabel(_printable(x), color=_STAND_IN["muted"], loc="right", labelpad=6)
    if y:
        axes.set_title(_printable(y), color=_STAND_IN["muted"], loc="left", fontsize=9.0, pad=10, y=1.0)
    if axes.get_yscale() == "linear" and not 0.05 < max(abs(bound) for bound in axes.get_ylim()) < 1e4:
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    buffer = io.StringIO()
    with rc_context({**_SETTINGS, "svg.hashsalt": name}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # text stays text: the browser has the glyph
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'<g id="[^"]*"', "<g", text)
    text = re.sub(r"font: ((?:[a-z0-9]+ )*)([\d.]+)px [^;\"]*", r"font-size: \2px", text)
    for role, colour in _STAND_IN.items():
        text = text.replace(colour, f"var(--{role})")
    size = re.search(r'viewBox="[^"]*"', text)
    opening = f'<svg {size.group(0) if size else ""} role="img" aria-label="{escape(label)}"'
    text = re.sub(r"<svg [^>]*>", lambda _: f'{opening} xmlns:xlink="http://www.w3.org/1999/xlink">', text, count=1)
    return Markup(text)  # matplotlib escapes its text, the label is escaped above


def _printable(text: str) -> str:
    """Without control characters, and no longer than a chart is wide."""
    clean = "".join(character if character.isprintable() else " " for character in text)
    return clean if len(clean) <= 52 else f"{clean[:51]}…"
