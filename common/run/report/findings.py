"""What a run supports saying, in plain words and no stronger than its seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite

from common.objective import LATENCY, UNITS
from common.run.report.figures import (
    Difference,
    RankCorrelation,
    Spread,
    best_so_far,
    difference,
    rank_correlation,
    spread,
)
from common.run.report.load import Goal, Limit, RetrainedRow, Run, TrialRow
from common.run.report.text import count, mean_sd, number, quantity, signed

_ROLES = {"searched": "search", "random": "random", "baseline": "baseline"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """The score that decides, the cost it is weighed against (None: nothing is priced) and the limits in force.

    `lower` are the fidelities of trials that were only to tell which architectures are tried at a higher one: scores of
    different fidelities are not compared.
    """

    score: Goal
    cost: Goal | None
    limits: tuple[Limit, ...]
    lower: frozenset[str] = frozenset()

    def feasible(self, trial: TrialRow) -> bool:
        """True for a trial at the highest fidelity that ran, has the score and keeps every limit."""
        values = {**trial.cost, **trial.scores}
        return (
            trial.ok
            and trial.fidelity not in self.lower
            and self.score.name in values
            and all(limit.holds(values) for limit in self.limits)
        )

    def score_of(self, trial: TrialRow) -> float | None:
        """The deciding score of a feasible trial, else None."""
        return trial.value(self.score.name) if self.feasible(trial) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """Retrained networks compared as one; `summary` is over `unit`s: seeds of one network, whose `arch` is told, or networks."""

    label: str
    kind: str
    role: str
    unit: str
    scores: tuple[float, ...]
    summary: Spread
    cost: float | None
    arch: Mapping[str, str] = field(default_factory=dict)

    @property
    def sample(self) -> str:
        """`3 seeds`, `1 network`."""
        return count(self.summary.n, self.unit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One statement.

    Attributes:
        text: the statement.
        mark: `settled`; `lost`, which is settled against the search; `open`, which the data do not decide; or empty for a plain
            fact.
    """

    text: str
    mark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One architecture's score with inherited weights and after retraining."""

    inherited: float
    retrained: float
    role: str


def axis(run: Run) -> Axis | None:
    """Choose what is plotted against what; None for a run that names no objective and has no score."""
    rows = (*run.trials, *run.random)
    priced = [name for row in (*rows, *run.retrained) for name in row.cost]
    costs = set(priced) | {limit.metric for limit in run.config.limits}
    goals = run.config.goals
    score = next((goal for goal in goals if goal.name not in costs), None)
    if score is None:
        names = [name for row in rows for name in row.scores] + [name for row in run.retrained for name in row.test]
        if not names:
            return None
        score = Goal(name=names[0], maximise=True, unit="")
    seen = {name for row in rows for name in (*row.cost, *row.scores)}
    limits = tuple(limit for limit in run.config.limits if limit.metric in seen or not rows)
    wanted = [goal.name for goal in goals if goal.name in costs] + [limit.metric for limit in run.config.limits]
    name = next((name for name in (*wanted, "macs", "params", *priced) if name in priced), None)
    units = {LATENCY: UNITS[LATENCY]} | {goal.name: goal.unit for goal in goals}
    cost = None if name is None else Goal(name=name, maximise=False, unit=units.get(name, ""))
    *lower, _ = dict.fromkeys(trial.fidelity for trial in run.trials) or [""]  # the last one to appear is the highest
    return Axis(score=score, cost=cost, limits=limits, lower=frozenset(lower))


def search_axis(run: Run, axis: Axis) -> Axis:
    """What the trials of the search are compared by: its reward, where it had one."""
    return replace(axis, score=Goal(name="reward", maximise=True, unit="")) if run.config.reward else axis


def drawn(run: Run, axis: Axis) -> tuple[Axis, ...]:
    """What scores are drawn against: the cost of `axis`, and latency where networks have one besides."""
    timed = any(LATENCY in row.cost for row in (*run.trials, *run.random, *run.retrained))
    if axis.cost is None or axis.cost.name == LATENCY or not timed:
        return (axis,)
    return (axis, replace(axis, cost=Goal(name=LATENCY, maximise=False, unit=UNITS[LATENCY])))


def split(run: Run, score: str) -> str:
    """The split retrained networks are judged on: `test` if any was tested, else `val`; empty if neither."""
    if any(score in row.test for row in run.retrained):
        return "test"
    return "val" if any(score in row.val for row in run.retrained) else ""


def teams(run: Run, axis: Axis) -> tuple[Team, ...]:
    """Group retrained rows: searched and baselines by name, all random networks together, one mean a network."""
    where = split(run, axis.score.name)
    grouped: dict[tuple[str, str], list[RetrainedRow]] = {}
    for row in run.retrained:
        if axis.score.name in _scores(row, where):
            grouped.setdefault((row.kind, "" if row.kind == "random" else row.name), []).append(row)
    order = {"searched": 0, "random": 1, "baseline": 2, "reference": 3}
    ranked = sorted(grouped.items(), key=lambda item: order.get(item[0][0], 4))
    return tuple(_team(kind, name, rows, where, axis) for (kind, name), rows in ranked)


def pairs(run: Run, axis: Axis) -> tuple[Pair, ...]:
    """One pair an architecture: inherited and retrained score on validation (test where there is none), mean of seeds."""
    score = axis.score.name
    where = "val" if any(score in row.val for row in run.retrained) else "test"
    by_arch: dict[tuple[tuple[str, str], ...], list[RetrainedRow]] = {}
    for row in run.retrained:
        if row.kind != "reference" and score in row.inherited and score in _scores(row, where):
            by_arch.setdefault(tuple(sorted(row.arch.items())) or (("name", row.name),), []).append(row)
    return tuple(
        Pair(
            inherited=spread([row.inherited[score] for row in rows]).mean,
            retrained=spread([_scores(row, where)[score] for row in rows]).mean,
            role=_ROLES.get(rows[0].kind, "muted"),
        )
        for rows in by_arch.values()
    )


def findings(run: Run, axis: Axis) -> list[Finding]:
    """All that can be said, in the order the run did it."""
    equal = at_equal_cost(run)
    told = _search(run, search_axis(run, axis), compared=not equal) + (_at_equal_cost(run, axis) if equal else [])
    told += _retrained(run, axis)
    matched = pairs(run, axis)
    if matched:
        told.append(_tau(rank_correlation([p.inherited for p in matched], [p.retrained for p in matched])))
    return told


def comparison(searched: Team, other: Team, score: Goal) -> Finding:
    """Whether the searched network is better than `other`, against the spread of both."""
    gap = difference(searched.summary, other.summary)
    side = _side(gap.value, score)
    lead = f"The {_named(searched)} is {side} the {_named(other)} by {signed(gap)} {_points(score)}"
    if gap.value == 0.0:
        lead = f"The {_named(searched)} and the {_named(other)} are equal in {score.name}"
    if gap.half_width is None:
        alone = " and the ".join(_named(team) for team in (searched, other) if team.summary.sd is None)
        each = f"there is a single value of the {alone}"
        return Finding(text=f"{lead}, but {each}: no spread to judge it by.", mark="open")
    interval = f"(95 % Welch interval, {searched.sample} against {other.sample})"
    if gap.beyond:
        mark = "lost" if side == "behind" else "settled"
        return Finding(text=f"{lead}: beyond the spread of its {searched.unit}s {interval}.", mark=mark)
    return Finding(text=f"{lead}: not beyond the spread of its {searched.unit}s {interval}.", mark="open")


def at_equal_cost(run: Run) -> bool:
    """Whether random search had the operations of a differentiable search, and not as many candidates as another one."""
    return bool(run.random) and (not run.trials or any(stage.name == "relaxed search" for stage in run.stages))


def _at_equal_cost(run: Run, axis: Axis) -> list[Finding]:
    rival = best_so_far([axis.score_of(trial) for trial in run.random], axis.score.maximise)
    trained = f"Random search trained {count(len(run.random), 'random architecture')}"
    share = run.random[0].fidelity
    if share != "full":
        trained += f", each for {float(share):.1%} of the steps of a training" if _is_number(share) else ""
    text = f"{trained}: together for as many floating-point operations as the search"
    if rival[-1] is None:
        return [Finding(text=f"{text}; none has a score inside the limits.", mark="open")]
    best = quantity(rival[-1], axis.score.unit)
    return [Finding(text=f"{text}. The best has {axis.score.name} {best} then; it is retrained beside the searched network.")]


def _is_number(text: str) -> bool:
    try:
        return isfinite(float(text))
    except ValueError:
        return False


def _search(run: Run, axis: Axis, *, compared: bool = True) -> list[Finding]:
    if not run.trials:
        return []
    failed = sum(not trial.ok for trial in run.trials)
    found = best_so_far([axis.score_of(trial) for trial in run.trials], axis.score.maximise)[-1]
    evaluated = f"The search evaluated {count(len(run.trials), 'architecture')}" + (f", {failed} failed" if failed else "")
    if axis.lower:
        evaluated = f"The search trained {count(len(run.trials), 'candidate')} at several fidelities"
    if found is None:
        return [Finding(text=f"{evaluated}; none has a score inside the limits.", mark="open")]
    best = next(trial for trial in run.trials if axis.score_of(trial) == found)
    text = f"{evaluated}; the best has {axis.score.name} {quantity(found, axis.score.unit)} during the search"
    if axis.cost and axis.cost.name in best.cost:
        text += f" and costs {_priced(best.cost[axis.cost.name], axis.cost)}{_share(best, axis)}"
    told = [Finding(text=text + ".")]
    rival = best_so_far([axis.score_of(trial) for trial in run.random], axis.score.maximise)
    if compared and rival and rival[-1] is not None:
        budget = "as many trials" if len(run.random) == len(run.trials) else count(len(run.random), "trial")
        gap = Difference(value=found - rival[-1], half_width=None)
        order = f"the search is {_side(gap.value, axis.score)} it by {signed(gap)}" if gap.value else "neither is ahead"
        text = (
            f"Random search with {budget} reached {quantity(rival[-1], axis.score.unit)}: {order}. "
            "That is one search of each kind, so the order may be chance."
        )
        told.append(Finding(text=text, mark="open"))
    return told


def _retrained(run: Run, axis: Axis) -> list[Finding]:
    sides = teams(run, axis)
    lost = sum(bool(row.error) for row in run.retrained)
    failed = f"Of {count(len(run.retrained), 'training')} alone, {lost} failed: left out of every mean."
    spoilt = [Finding(text=failed, mark="open")] if lost else []
    if not sides:
        return spoilt
    where = "test split" if split(run, axis.score.name) == "test" else "validation split"
    each = "; ".join(f"{side.label} {mean_sd(side.summary)} ({side.sample})" for side in sides)
    told = [*spoilt, Finding(text=f"Trained alone{_begun(run)}, on the {where}, {axis.score.name} is: {each}.")]
    for mine in (side for side in sides if side.kind == "searched"):
        same = [other for other in sides if other.kind == "baseline" and mine.arch and other.arch == mine.arch]
        for other in same:
            told.append(
                Finding(text=f"The {_named(mine)} is the {_named(other)} itself: the search ended at a hand-made network.")
            )
        for other in (side for side in sides if side.kind in ("random", "baseline", "reference") and side not in same):
            told.append(comparison(mine, other, axis.score))
        for other in (side for side in sides if side.kind in ("baseline", "reference") and side not in same):
            if mine.cost and other.cost and axis.cost and not (other.kind == "reference" and other.arch == mine.arch):
                ratio = mine.cost / other.cost
                change = f"{abs(1 - ratio):.0%} {'less' if ratio < 1 else 'more'} than" if ratio != 1 else "the same as"
                text = f"The {_named(mine)} costs {_priced(mine.cost, axis.cost)}, {change} the {_named(other)}."
                told.append(Finding(text=text))
    return told


def _begun(run: Run) -> str:
    """What networks began with, where it is not all anew."""
    begun = {row.start for row in run.retrained if row.kind != "reference"} - {""}
    apart = " (references apart)" if any(row.kind == "reference" for row in run.retrained) else ""
    return f", each{apart} from its part of the weights after {' and '.join(sorted(begun))}" if begun else ""


def _tau(tau: RankCorrelation) -> Finding:
    networks = f"{count(tau.n, 'network')} ({count(tau.pairs, 'pair')})"
    if tau.tau is None or tau.p is None:
        text = (
            f"Inherited and retrained scores are known for {networks}: too few, or too equal, to say whether their order agrees."
        )
        return Finding(text=text, mark="open")
    text = (
        f"Order by inherited weights against order after retraining: Kendall's tau {tau.tau:.2f} over {networks}, p = {tau.p:.2g}"
    )
    if tau.low is not None and tau.high is not None:
        text += f", 95 % bootstrap interval {tau.low:.2f} to {tau.high:.2f}"
    if tau.n < 5:
        return Finding(text=f"{text}; with so few networks even a perfect order would be no evidence.", mark="open")
    if tau.p >= 0.05:
        return Finding(text=f"{text}: not to be told from no relation at all.", mark="open")
    if tau.tau > 0:
        return Finding(text=f"{text}: the orders agree more than by chance.", mark="settled")
    return Finding(text=f"{text}: the orders disagree more than by chance.", mark="lost")


def _team(kind: str, name: str, rows: Sequence[RetrainedRow], where: str, axis: Axis) -> Team:
    scores = [_scores(row, where)[axis.score.name] for row in rows]
    networks: dict[object, list[float]] = {}
    for row, value in zip(rows, scores, strict=True):
        networks.setdefault(tuple(sorted(row.arch.items())) or row.name, []).append(value)
    pooled = len(networks) > 1
    costs = [row.cost[axis.cost.name] for row in rows if axis.cost and axis.cost.name in row.cost]
    return Team(
        label=kind if name in ("", kind) else f"{name} ({kind})" if kind == "baseline" else name,
        kind=kind,
        role=_ROLES.get(kind, "muted"),
        unit="network" if pooled else "seed",
        scores=tuple(scores),
        summary=spread([spread(values).mean for values in networks.values()] if pooled else scores),
        cost=spread(costs).mean if costs else None,
        arch={} if pooled else rows[0].arch,
    )


def _scores(row: RetrainedRow, where: str) -> dict[str, float]:
    return dict(row.test if where == "test" else row.val)


def _named(team: Team) -> str:
    noun = "networks" if team.unit == "network" else "network"
    if team.kind == "baseline":
        return "baseline" if team.label == "baseline" else f"baseline {team.label.removesuffix(' (baseline)')}"
    if team.kind == "reference":
        return team.label
    return f"{team.kind} {noun}" if team.label == team.kind else f"{team.kind} network {team.label}"


def _side(gap: float, score: Goal) -> str:
    return "ahead of" if (gap > 0) == score.maximise else "behind"


def _points(score: Goal) -> str:
    return f"{score.unit} {score.name}".strip()


def _priced(value: float, cost: Goal) -> str:
    return quantity(value, cost.unit) if cost.unit else f"{number(value)} {cost.name}"


def _share(best: TrialRow, axis: Axis) -> str:
    for limit in axis.limits:
        value = best.value(limit.metric)
        if axis.cost and limit.metric == axis.cost.name and limit.upper and value is not None:
            return f", {value / limit.upper:.0%} of the limit of {number(limit.upper)}"
    return ""
