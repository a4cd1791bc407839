"""Which decisions mattered: how much of the scores each explains, or how sure a differentiable search became of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log
from statistics import fmean

from common.run.report import charts
from common.run.report.findings import Axis
from common.run.report.load import Run
from common.run.report.plots import Plot
from common.run.report.text import count

LEAST_TRIALS = 20
"""With fewer, chance explains as much as decisions do."""
SHOWN = 12
"""Decisions in a chart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gene:
    """A decision, the option that is best or strongest, and how much it matters, from 0 to 1."""

    path: str
    option: str
    share: float


def mattered(run: Run, known: Axis) -> list[Plot]:
    """A chart of the share of the scores' variance that each decision explains, over trials at the most frequent fidelity."""
    scored = [row for row in (*run.trials, *run.random) if row.ok and known.score.name in row.scores]
    fidelity, _ = Counter(row.fidelity for row in scored).most_common(1)[0] if scored else ("", 0)
    rows = [(row.arch, row.scores[known.score.name]) for row in scored if row.fidelity == fidelity]
    if len(rows) < LEAST_TRIALS:
        return []
    genes = explained(rows, known.score.maximise)
    return _plot(
        genes,
        "Which decisions mattered",
        f"Share of the variance of {known.score.name} over {count(len(rows), 'trial')} that a decision alone explains, less what "
        "chance would (adjusted for its number of options); beside it the option with the best mean.",
    )


def decided(run: Run) -> list[Plot]:
    """A chart of how sure a differentiable search is of each decision."""
    return _plot(
        sure(run.strengths, run.decisions),
        "Which decisions were made",
        "0: all options of a decision are equally strong; 1: one of them has all the strength (one less the entropy, as a share "
        "of the largest). Beside it the strongest option. A decision inside an option matters only where that is taken.",
    )


def explained(rows: Sequence[tuple[Mapping[str, str], float]], maximise: bool) -> list[Gene]:
    """Decision by decision, adjusted R squared of the scores by its option: 1 - (within / (n - k)) / (total / (n - 1)).

    Only architectures that have the decision count, n of them with k different options; decisions with nothing to tell (one
    option taken, or as many as architectures) are left out. Values below 0 are 0.

    Args:
        rows: architecture (decision -> label) and score.
        maximise: whether higher scores are better.
    """
    genes = []
    for path in dict.fromkeys(path for arch, _ in rows for path in arch):
        groups: dict[str, list[float]] = {}
        for arch, value in rows:
            if path in arch:
                groups.setdefault(arch[path], []).append(value)
        scores = [value for group in groups.values() for value in group]
        n, k, mean = len(scores), len(groups), fmean(scores)
        total = sum((value - mean) ** 2 for value in scores)
        if not 1 < k < n or not total:
            continue
        means = {option: fmean(group) for option, group in groups.items()}
        within = sum((value - means[option]) ** 2 for option, group in groups.items() for value in group)
        share = 1 - (within / (n - k)) / (total / (n - 1))
        best = (max if maximise else min)(means, key=lambda option: means[option])
        genes.append(Gene(path=path, option=best, share=max(0.0, share)))
    return genes


def sure(strengths: Mapping[str, Sequence[float]], decisions: Mapping[str, Sequence[str]]) -> list[Gene]:
    """One less the entropy of each decision whose strengths are probabilities of its options, as a share of the largest."""
    genes = []
    for path, values in strengths.items():
        labels = decisions.get(path, ())
        if len(values) < 2 or len(labels) != len(values) or min(values) < 0 or abs(sum(values) - 1) > 1e-3:
            continue
        entropy = -sum(p * log(p) for p in values if p > 0)
        option = labels[max(range(len(values)), key=lambda i: values[i])]
        genes.append(Gene(path=path, option=option, share=min(1.0, max(0.0, 1 - entropy / log(len(values))))))
    return genes


def _plot(genes: Sequence[Gene], title: str, caption: str) -> list[Plot]:
    shown = sorted(genes, key=lambda gene: -gene.share)[:SHOWN]
    if not shown:
        return []
    left = len(genes) - len(shown)
    rows = [(f"{gene.path}: {gene.option}", gene.share) for gene in shown]
    rest = f" {count(left, 'decision')} that mattered less {'is' if left == 1 else 'are'} not shown." if left else ""
    return [Plot(title=title, svg=charts.bars(title=title, rows=rows), caption=caption + rest)]
