"""The page about trainings of NAS-Bench-Graph's networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from common.run.report.figures import rank_correlation
from common.tables.nasbench_graph import Network
from graphs.nasbench.settings import HYPER

PUBLISHED_EPOCHS = HYPER["cora"].epochs


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """One network: what the table says, and what a training gave; accuracies in percent."""

    network: Network
    published_valid: float
    published_test: float
    published_params: int
    valid: float
    """Best of any epoch."""
    test: float
    """After the epoch with the lowest validation loss."""
    chosen: float
    """Validation accuracy after that epoch."""
    epoch: int
    epochs: int
    seconds: float
    """Wall-clock."""
    cpu: float
    """Processor time, in seconds."""
    params: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the page says about its making."""

    command: str
    date: str
    environment: dict[str, Any]
    commit: str
    rows: int
    epochs: int
    every: int
    seed: int


def tau(a: Sequence[float], b: Sequence[float]) -> str:
    """Kendall's tau with its interval, as text."""
    found = rank_correlation(a, b)
    if found.tau is None:
        return "undefined"
    return f"{found.tau:.3f}" + ("" if found.low is None else f" ({found.low:.3f} to {found.high:.3f})")


def columns(results: Sequence[Trained], *names: str) -> list[list[float]]:
    """Columns of the results."""
    return [[getattr(result, name) for result in results] for name in names]


def verdict(results: Sequence[Trained]) -> list[str]:
    """The rank correlations, over all networks and over the better half by the table's test accuracy."""
    better = sorted(results, key=lambda result: result.published_test)[len(results) // 2 :]
    pairs = (
        ("test, ours with the table's", "test", "published_test"),
        ("validation, ours with the table's", "valid", "published_valid"),
        ("validation at the chosen epoch, with the table's", "chosen", "published_valid"),
        ("the table's validation with the table's test", "published_valid", "published_test"),
        ("our validation with our test", "valid", "test"),
    )
    lines = [f"| Kendall's tau (95 % bootstrap interval) | all {len(results)} | the better {len(better)} |", "|---|---:|---:|"]
    for title, a, b in pairs:
        lines.append(f"| {title} | {tau(*columns(results, a, b))} | {tau(*columns(better, a, b))} |")
    return lines


def by_link(results: Sequence[Trained]) -> str:
    """Mean differences of test accuracy, with the number of networks."""
    found: dict[str, list[float]] = {}
    for result in sorted(results, key=lambda result: result.network.link):
        found.setdefault(result.network.link, []).append(result.test - result.published_test)
    return ", ".join(f"{link} {np.mean(values):+.1f} ({len(values)})" for link, values in found.items())


def page(facts: Facts, results: Sequence[Trained]) -> str:
    """The Markdown page."""
    machine, versions = facts.environment["machine"], facts.environment["versions"]
    ours, theirs, valid, published_valid = columns(results, "test", "published_test", "valid", "published_valid")
    seconds, cpu = columns(results, "seconds", "cpu")
    equal = sum(result.params == result.published_params for result in results)
    short = sum(result.epochs < facts.epochs for result in results)
    late = sum(result.epoch > 0.9 * facts.epochs for result in results)
    differences, spoiled = np.abs(np.subtract(ours, theirs)), np.abs(np.subtract(valid, published_valid))
    lines = [
        "# NAS-Bench-Graph: our trainings against the table",
        "",
        f"Made on {facts.date} by `{facts.command}` on {machine['cpu']} ({machine['cores']} cores, {machine['memory_gib']} GiB), "
        f"{machine['system']}, Python {versions['python']}, torch {versions['torch']}, "
        f"torch-geometric {versions.get('torch-geometric', 'unknown')}; one torch thread. Commit of the first training: "
        f"{facts.commit}.",
        "",
        f"{len(results)} of the table's {facts.rows:,} networks, at equal steps of its ranking by test accuracy on Cora, are "
        f"built by `graphs/nasbench` and trained from scratch, once, with seed {facts.seed}, for {facts.epochs} epochs "
        f"({100 * facts.epochs / PUBLISHED_EPOCHS:.0f} % of the published {PUBLISHED_EPOCHS}), evaluated after every "
        f"{'epoch' if facts.every == 1 else f'{facts.every} epochs'} (the benchmark: after every epoch). Test: the accuracy "
        "after the epoch with the lowest validation loss. Validation: the best accuracy of any epoch. The table's figures are "
        "means of three trainings.",
        "",
        *verdict(results),
        "",
        f"- Mean absolute difference from the table: {differences.mean():.2f} points of test accuracy (median "
        f"{np.median(differences):.2f}), {spoiled.mean():.2f} of validation accuracy (median {np.median(spoiled):.2f}).",
        f"- Mean test accuracy: {np.mean(ours):.2f} %, the table's {np.mean(theirs):.2f} %; validation {np.mean(valid):.2f} % "
        f"and {np.mean(published_valid):.2f} %.",
        f"- Parameters equal the table's for {equal} of {len(results)} networks.",
        f"- The chosen epoch lies in the last tenth of the training for {late} of {len(results)}: they might go on to improve.",
        f"- Trainings that ended early, the loss no number any more: {short}.",
        f"- Wall-clock: {sum(seconds) / 60:.1f} minutes for all trainings, {np.median(seconds):.1f} s the median one. "
        f"Processor time: {sum(cpu) / 60:.1f} minutes, {1000 * sum(cpu) / sum(result.epochs for result in results):.0f} ms an "
        f"epoch; where it is less, the machine had other work too. {PUBLISHED_EPOCHS} epochs would take "
        f"{sum(cpu) / sum(result.epochs for result in results) * PUBLISHED_EPOCHS * len(results) / 60:.0f} minutes of it.",
        f"- Test accuracy, ours less the table's, mean by link pattern: {by_link(results)}.",
        "",
        "What this shows: how far the same networks, trained by the core's loop, rank as the published ones do. What it does "
        "not show: that single accuracies agree to within a seed's noise (one training here, a mean of three there), that the "
        "order among networks of almost equal accuracy is reproduced (the right column), or anything about other data sets "
        "than Cora.",
        "",
        "| link | operations | test, table | test, ours | validation, table | validation, ours | chosen epoch | s |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for result in sorted(results, key=lambda result: result.published_test):
        lines.append(
            f"| {result.network.link} | {' '.join(result.network.ops)} | {result.published_test:.1f} | {result.test:.1f} | "
            f"{result.published_valid:.1f} | {result.valid:.1f} | {result.epoch} | {result.seconds:.0f} |"
        )
    return "\n".join([*lines, ""])
