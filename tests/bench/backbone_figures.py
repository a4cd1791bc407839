"""The figures of the study on backbone search, computed from scores, and their tables in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from statistics import fmean, stdev
from typing import TYPE_CHECKING

from common.objective import kendall_tau
from common.predict.agreement import (
    bootstrap,
    f_ratio,
    partial_tau,
    random_regret,
    strata,
    tau_ceiling,
    tau_within,
)
from common.predict.ranking import regret

if TYPE_CHECKING:
    from detection.detnas.settings import Settings

LEAST_F, LEAST_TAU = 3.0, 0.3
"""The gate: F of the networks and tau of two supernets must be larger than these."""
STRATA = 3
"""Number of strata of multiply-adds, for tau at equal cost."""
TOP = (1, 5)
"""How many networks with the best predictions regret is computed for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """The study of one space."""

    name: str
    settings: Settings
    candidates: int = 60
    gate_networks: int = 8
    """Networks of the gate: the first candidates."""
    gate_seeds: int = 3
    """Trainings of each network of the gate."""
    networks: int = 20
    """Retrained networks, at equal steps of the ranking by mean inherited score."""
    seeds: int = 2
    """Trainings of each retrained network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """Scores and costs of one retrained network with one seed."""

    val: float
    test: float
    macs: int
    params: int
    seconds: float
    """Wall-clock of the training and its evaluation."""


Units = Mapping[tuple[int, int], Trained]
"""(number of the candidate, seed) -> its training."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """How one predictor ranks the retrained networks.

    Attributes:
        name: of the predictor.
        tau: Kendall's tau-b with the mean test score, and its 95 % interval.
        equal: the same within strata of multiply-adds. None for multiply-adds themselves.
        partial: Kendall's partial tau given multiply-adds. None for multiply-adds themselves.
        regret: k -> regret of the best of the k networks with the best predictions.
        gain: k -> expected regret of k random networks minus that regret, and its 95 % interval.
    """

    name: str
    tau: tuple[float, float, float]
    equal: tuple[float, float, float] | None
    partial: float | None
    regret: dict[int, float]
    gain: dict[int, tuple[float, float, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """All figures of a study. A figure is None while its scores are missing."""

    gate: list[list[float]]
    """Test scores of the gate's networks, a row each."""
    f: float | None = None
    f_val: float | None = None
    gate_ceiling: float | None = None
    agreement: float | None = None
    """Tau-b of the inherited scores of two supernets over all candidates."""
    inherited: list[list[float]] = field(default_factory=list)
    """Scores of all candidates, a row for each supernet."""
    numbers: list[int] = field(default_factory=list)
    """Candidates that are compared, by rising mean inherited score. The lists below have one entry for each."""
    retrained: list[list[float]] = field(default_factory=list)
    """Test scores of the trainings."""
    macs: list[int] = field(default_factory=list)
    params: list[int] = field(default_factory=list)
    ceiling: float | None = None
    f_all: float | None = None
    random: dict[int, float] = field(default_factory=dict)
    """k -> expected regret of the best of k random networks."""
    rows: list[Row] = field(default_factory=list)
    seconds: float = 0.0
    """Wall-clock of all retrainings together."""

    @property
    def passed(self) -> bool:
        """Whether the gate is passed."""
        return self.f is not None and self.agreement is not None and self.f > LEAST_F and self.agreement > LEAST_TAU


def figures(
    study: Study,
    done: Units,
    inherited: Sequence[Sequence[float]],
    chosen: Sequence[int] = (),
    resamples: int = 2000,
) -> Figures:
    """The figures that the scores so far give.

    Args:
        study: gives the numbers of networks and seeds.
        done: the retrainings so far.
        inherited: scores of all candidates, one row per trained supernet.
        chosen: candidates to compare; empty before the gate is passed.
        resamples: number of resamples behind each interval.
    """
    seeds = range(study.gate_seeds)
    gate = [[done[i, seed] for seed in seeds if (i, seed) in done] for i in range(study.gate_networks)]
    gate = [row for row in gate if row]
    tests, whole = [[one.test for one in row] for row in gate], len(gate) > 1
    numbers = [i for i in chosen if any((i, seed) in done for seed in range(study.seeds))]
    rows = [[done[i, seed] for seed in range(study.seeds) if (i, seed) in done] for i in numbers]
    found = Figures(
        gate=tests,
        f=f_ratio(tests) if whole else None,
        f_val=f_ratio([[one.val for one in row] for row in gate]) if whole else None,
        gate_ceiling=tau_ceiling(tests) if whole else None,
        agreement=kendall_tau(inherited[0], inherited[1]) if len(inherited) > 1 else None,
        inherited=[list(scores) for scores in inherited],
        seconds=sum(one.seconds for one in done.values()),
    )
    return _compared(found, numbers, rows, resamples) if len(numbers) >= 8 else found


def _compared(found: Figures, numbers: list[int], rows: list[list[Trained]], resamples: int) -> Figures:
    tests = [[one.test for one in row] for row in rows]
    means = [fmean(row) for row in tests]
    macs, params = [row[0].macs for row in rows], [row[0].params for row in rows]
    shared = {f"supernet {i}": [scores[n] for n in numbers] for i, scores in enumerate(found.inherited)}
    both = {"mean of both": [fmean(values) for values in zip(*shared.values(), strict=True)]}
    predictors = {**shared, **both, "multiply-adds": [float(x) for x in macs], "parameters": [float(x) for x in params]}
    return replace(
        found,
        numbers=numbers,
        retrained=tests,
        macs=macs,
        params=params,
        f_all=f_ratio(tests),
        ceiling=tau_ceiling(tests),
        random={k: random_regret(means, k) for k in TOP},
        rows=[row_of(name, scores, tests, macs, resamples) for name, scores in predictors.items()],
    )


def row_of(name: str, predicted: Sequence[float], tests: Sequence[Sequence[float]], macs: Sequence[int], resamples: int) -> Row:
    """The row of one predictor. Intervals are over networks and seeds."""
    means = [fmean(row) for row in tests]

    def tau(drawn: list[int], scores: list[float]) -> float:
        return kendall_tau([predicted[i] for i in drawn], scores)

    def equal(drawn: list[int], scores: list[float]) -> float:
        groups = strata([macs[i] for i in drawn], STRATA)
        return tau_within([predicted[i] for i in drawn], scores, groups)

    def gain(drawn: list[int], scores: list[float], k: int) -> float:
        return random_regret(scores, k) - regret([predicted[i] for i in drawn], scores, k)

    every = list(range(len(means)))
    by_cost = name == "multiply-adds"
    intervals = {k: bootstrap(partial(gain, k=k), tests, resamples=resamples) for k in TOP}
    whole, within = (bootstrap(statistic, tests, resamples=resamples) for statistic in (tau, equal))
    return Row(
        name=name,
        tau=(tau(every, means), whole.low, whole.high),
        equal=None if by_cost else (equal(every, means), within.low, within.high),
        partial=None if by_cost else partial_tau(predicted, means, macs),
        regret={k: regret(predicted, means, k) for k in TOP},
        gain={k: (gain(every, means, k), intervals[k].low, intervals[k].high) for k in TOP},
    )


def markdown(study: Study, found: Figures) -> str:
    """The tables of one space."""
    lines = [
        f"Space `{study.settings.space}`, budget {', '.join(f'{k} <= {v:,.0f}' for k, v in study.settings.budget.items())}.",
        "",
    ]
    if found.f is not None and found.f_val is not None:
        lines += ["| network | test AP by seed | mean | standard deviation |", "|---:|---|---:|---:|"]
        for i, row in enumerate(found.gate):
            spread = f"{stdev(row):.4f}" if len(row) > 1 else "unknown"
            lines.append(f"| {i} | {' '.join(f'{x:.4f}' for x in row)} | {fmean(row):.4f} | {spread} |")
        size = f"{len(found.gate)} networks"
        lines += ["", f"- F of test AP, {size}: {found.f:.2f} (validation AP: {found.f_val:.2f}); asked for: {LEAST_F:g}."]
        lines.append(f"- Estimated upper limit of tau with {study.gate_seeds} seeds: {found.gate_ceiling:.2f}.")
    if found.agreement is not None:
        size = f"{len(found.inherited[0])} candidates"
        lines.append(f"- Tau-b of two supernets over {size}: {found.agreement:.3f}; asked for: {LEAST_TAU:g}.")
        lines.append(f"- The gate is {'passed' if found.passed else 'failed'}.")
    if found.rows:
        lines += ["", *_table(found)]
    return "\n".join([*lines, ""])


def _table(found: Figures) -> list[str]:
    n, trainings = len(found.numbers), sum(map(len, found.retrained))
    random = ", ".join(f"{x:.4f} (k = {k})" for k, x in found.random.items())
    lines = [
        f"{n} networks retrained, {trainings} trainings. F {found.f_all:.2f}; estimated upper limit of tau {found.ceiling:.2f}. "
        f"Expected regret of the best of k random networks: {random}.",
        "",
        f"| predictor | tau-b | within {STRATA} strata of MACs | partial | regret, top 1 | regret, top 5 | gain over 5 random |",
        "|---|---|---|---:|---:|---:|---|",
    ]
    for row in found.rows:
        partial = "" if row.partial is None else f"{row.partial:.2f}"
        equal = "" if row.equal is None else _interval(row.equal, 2)
        cells = [
            row.name,
            _interval(row.tau, 2),
            equal,
            partial,
            f"{row.regret[1]:.4f}",
            f"{row.regret[5]:.4f}",
            _interval(row.gain[5], 4),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "| network | MACs | params | inherited AP | test AP by seed |", "|---:|---:|---:|---|---|"]
    for number, macs, params, tests in zip(found.numbers, found.macs, found.params, found.retrained, strict=True):
        shared = " ".join(f"{scores[number]:.4f}" for scores in found.inherited)
        lines.append(f"| {number} | {macs:,} | {params:,} | {shared} | {' '.join(f'{x:.4f}' for x in tests)} |")
    return lines


def _interval(value: tuple[float, float, float], digits: int) -> str:
    middle, low, high = (f"{x:.{digits}f}" for x in value)
    return f"{middle} ({low} to {high})"
