"""Design spaces compared by runs or tables of networks that were drawn from them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from common.errors import UserError
from common.run.files import read_json
from common.tables.distributions import Alike, Sample, best_of, distance, effective, normalised, quantile
from common.tables.rows import read_rows

LEAST = 10
"""Least number of networks of a sample, and of its networks in the range of complexities that all samples have; the paper takes
100 at least."""
DRAWS = (1, 10, 100)
"""Lengths of the random searches whose expected best is told."""


class Comparison(NamedTuple):
    """Design spaces compared.

    Attributes:
        text: the report in Markdown, the notes among it.
        notes: how the comparison departs from what was asked for: sentences, none if it does not.
    """

    text: str
    notes: tuple[str, ...]


def compare_spaces(
    files: Sequence[Path], objective: str, complexity: str, direction: Literal["max", "min"] = "max", bins: int = 10
) -> Comparison:
    """Compares spaces: for each space quantiles of its scores with and without its sizes, and distances between spaces.

    Args:
        files: run folders with random networks (`trials.jsonl` of a random search, else `random.jsonl`), or tables as
            `common.tables.own` describes them.
        objective: the score that networks are compared by.
        complexity: the cost that is made alike.
        direction: whether the largest or the smallest score is best.
        bins: number of bins of the common range of complexities; fewer, with a note, where one would be empty in a space.

    Raises:
        UserError: a file cannot be used, there are fewer than two, or fewer than `LEAST` networks of a space lie in the range of
            complexities that all spaces have.
    """
    if len(files) < 2:
        raise UserError("a comparison of spaces takes two run folders or tables; give another one")
    if bins < 1:
        raise UserError(f"--bins {bins}: give 1 or more")
    sign = -1.0 if direction == "max" else 1.0
    samples = [_sample(file, objective, complexity, sign) for file in files]
    names = _names([sample.name for sample in samples])
    weights, normal = [np.full(len(s), 1 / len(s)) for s in samples], normalised(*samples, bins=bins)
    _check_range(normal, samples, names, complexity)
    alike, notes = normal.weights, _notes(normal, complexity, bins)
    errors = [np.asarray(s.errors, dtype=float) for s in samples]
    lines = [
        f"| space | networks | in the common range | effective | {objective}: best 1 % | best 10 % | median "
        f"| median at like {complexity} " + "".join(f"| best of {n} " for n in DRAWS) + "|",
        "|---" * (8 + len(DRAWS)) + "|",
    ]
    for name, sample, inside, e, w, a in zip(names, samples, normal.inside, errors, weights, alike, strict=True):
        shown = [sign * quantile(e, w, share) for share in (0.01, 0.1, 0.5)] + [sign * quantile(e, a, 0.5)]
        found = [f"{sign * best_of(sample.errors, n):.4g}" if n <= len(sample) else "" for n in DRAWS]
        cells = [name, str(len(sample)), str(inside), f"{effective(a):.1f}", *(f"{x:.4g}" for x in shown), *found]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", f"| spaces | distance of distributions | at like {complexity} |", "|---|---|---|"]
    for i, j in combinations(range(len(samples)), 2):
        plain = distance(errors[i], weights[i], errors[j], weights[j])
        lines.append(f"| {names[i]}, {names[j]} | {plain:.3f} | {distance(errors[i], alike[i], errors[j], alike[j]):.3f} |")
    lines += [
        "",
        "The distance is the Kolmogorov-Smirnov statistic, from 0 (alike) to 1. `best of n` is the expected best of n random "
        f"networks. At like {complexity}, networks weigh so that all spaces have the same {complexity}; only those in the common "
        f"range count, {_range(normal)}, divided into {normal.bins} {'bin' if normal.bins == 1 else 'bins'}. `effective` is how "
        "many networks of equal weight would tell as much as these.",
        *(line for note in notes for line in ("", note)),
    ]
    return Comparison("\n".join(lines) + "\n", notes)


def _check_range(normal: Alike, samples: Sequence[Sample], names: Sequence[str], complexity: str) -> None:
    for name, sample, inside in zip(names, samples, normal.inside, strict=True):
        if inside < LEAST:
            raise UserError(
                f"{name}: {inside} of {len(sample)} networks have {complexity} in the range that all spaces have "
                f"({_range(normal)}); a comparison at like {complexity} needs {LEAST} or more of every space: draw more "
                "networks, or compare spaces of like sizes"
            )


def _notes(normal: Alike, complexity: str, bins: int) -> tuple[str, ...]:
    if normal.bins == bins or normal.low == normal.high:
        return ()
    unlike = f", so that within the range {complexity} is not made alike" if normal.bins == 1 else ""
    return (
        f"The common range of {complexity} has {normal.bins} of the {bins} bins asked for, because with more one would be empty "
        f"in one of the spaces{unlike}; draw more networks for more bins.",
    )


def _range(normal: Alike) -> str:
    return f"{normal.low:.4g} to {normal.high:.4g}"


def _sample(file: Path, objective: str, complexity: str, sign: float) -> Sample:
    table = _trials(file) if file.is_dir() else file
    if not table.exists():
        raise UserError(f"{file}: no such file or folder; give a run folder or a table")
    rows, _ = read_rows(table, (objective,), (complexity,))
    if len(rows) < LEAST:
        raise UserError(f"{table}: number of networks: {len(rows)}; a space is told by {LEAST} random ones or more: draw more")
    errors = [sign * float(row.scores[objective]) for row in rows]
    return Sample(file.name if file.is_dir() else file.stem, errors, [float(row.costs[0]) for row in rows])


def _trials(run: Path) -> Path:
    """The trials of a run; those of a search that was not random say nothing of its space.

    Raises:
        UserError: the folder has no run, or one of another search.
    """
    if not (run / "config.json").is_file() and (run / "trials.jsonl").is_file():
        return run / "trials.jsonl"
    settings = read_json(run / "config.json").get("settings", {}) if (run / "config.json").is_file() else {}
    engine = settings.get("search", {}).get("engine", {}).get("name")
    if engine == "random":
        return run / "trials.jsonl"
    beside = run / "random.jsonl"
    if beside.is_file():
        return beside
    raise UserError(
        f"{run}: {f'the search was {engine}' if engine else 'no run'}; give a run with search.engine=random, or a table"
    )


def _names(names: Sequence[str]) -> list[str]:
    """The names, numbered where two are alike."""
    return [name if names.count(name) == 1 else f"{name} ({i})" for i, name in enumerate(names, 1)]
