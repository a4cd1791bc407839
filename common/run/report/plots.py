"""The charts of a report, each with its heading, legend and caption."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from common.run.report import charts
from common.run.report.figures import best_so_far, front, rank_correlation, thin
from common.run.report.findings import Axis, Team, at_equal_cost, drawn, pairs, split, teams
from common.run.report.load import Goal, Limit, Run, TrialRow
from common.run.report.text import count, number

MONITORS = {
    "entropy": "Mean entropy of the decisions, {} to {}: 1 where all options are alike, 0 where every decision is made.",
    "skip_share": "Share of the decisions in which skip_connect leads, {} to {}: a rise towards 1 is the search's collapse.",
    "options": "Options that are left in all decisions, {} to {}: the search drops the others on its way.",
}
"""Values of a differentiable search that get charts of their own -> caption, with the first and the last value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A chart with its heading, what to look for, and its legend as (mark, colour role, text)."""

    title: str
    svg: Markup
    caption: str
    legend: tuple[tuple[str, str, str], ...] = ()


def search(run: Run, known: Axis) -> list[Plot]:
    """Score against each cost that is drawn, and the best so far."""
    if not run.trials and (not run.random or at_equal_cost(run)):
        return []
    score, maximise = known.score.name, known.score.maximise
    scored = [row for row in (*run.trials, *run.random) if row.ok and score in row.scores]
    views = [view for view in drawn(run, known) if view.cost and any(view.cost.name in row.cost for row in scored)]
    plots = [_trade_off(run, view, several=len(views) > 1) for view in views]
    curves = [[known.score_of(trial) for trial in rows] for rows in (run.trials, run.random)]
    legend = [("line", "search", f"search, {count(len(run.trials), 'trial')}")]
    if run.random:
        legend.append(("line", "random", f"random search, {count(len(run.random), 'trial')}"))
    if any(value is not None for curve in curves for value in curve):
        plots.append(
            Plot(
                title="Best so far",
                svg=charts.progress(
                    search=best_so_far(curves[0], maximise), random=best_so_far(curves[1], maximise), score=score
                ),
                caption=f"The best {score} of trials inside the limits, as the budget is spent.",
                legend=tuple(legend),
            )
        )
    return plots


def monitors(run: Run) -> list[Plot]:
    """What tells how sure a differentiable search is, whether it collapses, and what is left of its space."""
    plots = []
    for stage, series in _logged(run).items():
        for name in (name for name in MONITORS if name in series):
            points = series[name]
            plots.append(
                Plot(
                    title=f"{stage}: {name}",
                    svg=charts.loss(stage=f"{stage} {name}", metric=name, raw=thin(points, 300), smooth=[]),
                    caption=MONITORS[name].format(number(points[0][1]), number(points[-1][1])),
                )
            )
    return plots


def losses(run: Run) -> list[Plot]:
    """The loss (else the first logged value) of every stage."""
    plots = []
    for stage, series in _logged(run).items():
        name = "loss" if "loss" in series else next((name for name in series if "loss" in name), next(iter(series)))
        points = series[name]
        smooth = thin(points, 40) if len(points) > 80 else []
        plots.append(
            Plot(
                title=stage,
                svg=charts.loss(stage=stage, metric=name, raw=thin(points, 300), smooth=smooth),
                caption=f"{name}: {number(points[0][1])} to {number(points[-1][1])} in {count(len(points), 'logged step')}.",
            )
        )
    return plots


def _logged(run: Run) -> dict[str, dict[str, list[charts.Point]]]:
    """Stage -> name -> (step, value)."""
    stages: dict[str, dict[str, list[charts.Point]]] = {}
    for row in run.metrics:
        for name, value in row.values.items():
            stages.setdefault(row.stage, {}).setdefault(name, []).append((row.step, value))
    return stages


def seeds(run: Run, known: Axis, sides: Sequence[Team]) -> Plot | None:
    """Every retrained network a dot."""
    if not sides:
        return None
    where = split(run, known.score.name)
    return Plot(
        title="Retrained, seed by seed",
        svg=charts.seeds(groups=sides, score=f"{where} {_label(known.score.name, known.score.unit)}"),
        caption="A dot is one training; the bar is the mean, the band one standard deviation either side.",
    )


def costs(run: Run, known: Axis) -> list[Plot]:
    """Retrained score against each cost that is drawn."""
    told = [(view.cost, teams(run, view)) for view in drawn(run, known)]
    priced = [(cost, sides) for cost, sides in told if cost and any(side.cost is not None for side in sides)]
    return [_costs(run, known, cost, sides, several=len(priced) > 1) for cost, sides in priced]


def _costs(run: Run, known: Axis, cost: Goal, sides: Sequence[Team], *, several: bool) -> Plot:
    where, priced = split(run, known.score.name), [side for side in sides if side.cost is not None]
    lacking = ", ".join(side.label for side in sides if side.cost is None)
    return Plot(
        title=f"What the score costs: {cost.name}" if several else "What the score costs",
        svg=charts.retrained(
            groups=priced,
            limits=_bounds(known.limits, cost.name),
            score=f"{where} {known.score.name}",
            cost=_label(cost.name, cost.unit),
        ),
        caption="Means after retraining, whiskers one standard deviation."
        + (f" Without {cost.name}, and not drawn: {lacking}." if lacking else ""),
        legend=(
            *(("dot", side.role, side.label) for side in priced),
            *(("dash", "limit", f"limit {number(limit)}") for limit in _bounds(known.limits, cost.name)),
        ),
    )


def ranking(run: Run, known: Axis) -> Plot | None:
    """Inherited against retrained score, with Kendall's tau."""
    matched = pairs(run, known)
    if not matched:
        return None
    tau = rank_correlation([pair.inherited for pair in matched], [pair.retrained for pair in matched], resamples=0)
    told = f"Kendall's tau {tau.tau:.2f}" if tau.tau is not None else "Kendall's tau cannot be told"
    kinds = {"search": "searched", "random": "random", "baseline": "baseline", "muted": "other"}
    return Plot(
        title="Inherited against retrained",
        svg=charts.ranking(points=[((p.inherited, p.retrained), p.role) for p in matched], score=known.score.name),
        caption=f"{told} from {count(tau.n, 'network')} ({count(tau.pairs, 'pair')}); means over seeds, validation split.",
        legend=tuple(("dot", role, kind) for role, kind in kinds.items() if any(p.role == role for p in matched)),
    )


def _trade_off(run: Run, known: Axis, *, several: bool) -> Plot:
    score, cost = known.score.name, known.cost.name if known.cost else ""

    def points(rows: Sequence[TrialRow], *, feasible: bool) -> list[charts.Point]:
        return [
            (row.cost[cost], row.scores[score])
            for row in rows
            if row.ok and cost in row.cost and score in row.scores and (known.feasible(row) or not feasible)
        ]

    stair = front(points(run.trials, feasible=True), known.score.maximise)
    marked = {
        (row.kind, tuple(sorted(row.arch.items()))): ((row.cost[cost], row.inherited[score]), row.kind)
        for row in run.retrained
        if cost in row.cost and score in row.inherited
    }
    roles = {"searched": "ink", "random": "random", "baseline": "baseline"}
    legend = [("dot", "search", "search"), ("line", "search", f"front, {count(len(stair), 'network')}")]
    if run.random:
        legend.append(("diamond", "random", "random search"))
    kinds = [kind for kind in roles if any(kind == found for _, found in marked.values())]
    legend += [("ring", roles[kind], f"{kind}, retrained below") for kind in kinds]
    limits = _bounds(known.limits, cost)
    legend += [("dash", "limit", f"limit {number(limit)}") for limit in limits]
    return Plot(
        title=f"Score against {cost if several else 'cost'}",
        svg=charts.trade_off(
            search=points(run.trials, feasible=False),
            random=points(run.random, feasible=False),
            front=stair,
            marked=[(point, roles[kind]) for point, kind in marked.values() if kind in roles],
            limits=limits,
            score=_label(known.score.name, known.score.unit),
            cost=_label(cost, known.cost.unit if known.cost else ""),
            maximise=known.score.maximise,
        ),
        caption=f"{_shown(run)}, scored during the search. The line joins those that no other beats in both.",
        legend=tuple(legend),
    )


def _shown(run: Run) -> str:
    """Which trials a chart has a dot of."""
    cut = [
        (name, len(rows))
        for name, rows in (("trials", run.trials), ("random trials", run.random))
        if len(rows) > charts.MOST_DOTS
    ]
    return " and ".join(f"{charts.MOST_DOTS:,} of {n:,} {name}, evenly spaced" for name, n in cut) or "Every trial"


def _bounds(limits: Sequence[Limit], metric: str) -> list[float]:
    return [bound for limit in limits if limit.metric == metric for bound in (limit.lower, limit.upper) if bound is not None]


def _label(name: str, unit: str) -> str:
    return unit if unit.lower() == name.lower() else f"{name} ({unit})" if unit else name
