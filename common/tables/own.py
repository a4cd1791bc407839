"""A user's own table of architectures and scores, read from a CSV or JSONL file.

JSONL, one object per line, as in a run's `trials.jsonl`:

    {"arch": {"kernel": "3", "width": "32"}, "scores": {"accuracy": 91.3}, "cost": {"params": 12000}}

Other keys are ignored. A line whose `status` is "failed", or whose `error` is not empty, is left out.

CSV, comma-separated, with a header: decision columns are named `arch.NAME`, score columns `score.NAME` or `NAME`, cost columns
`cost.NAME`. Other columns are ignored. A row whose column `status` holds "failed" is left out.

A row may name its `fidelity`, as trials do; all rows of a file must name the same one, because scores of several do not compare.

A decision that an architecture does not have (conditional spaces) is missing in `arch`, or its cell is empty or "-".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from common.arch import from_labels
from common.encode import Encoder
from common.errors import UserError
from common.objective import Number, Objective
from common.space import Arch, OneOf, decisions, size
from common.tables.rows import COLUMNS, SHAPE, Record, read_rows
from common.tables.table import Column, Table

FIDELITY = "full"
"""The only fidelity of a user's table."""
ABSENT = "-"
"""Label of a decision that an architecture does not have."""


@dataclass(frozen=True, slots=True)
class RowIndex:
    """The row of each architecture that has one. Can be pickled.

    Attributes:
        source: Name of the file, for errors.
        paths: Decision paths.
        rows: Option index of each decision, in the order of `paths` -> row; sorted by row.
    """

    source: str
    paths: tuple[str, ...]
    rows: Mapping[tuple[int, ...], int]

    def __call__(self, arch: Arch) -> int:
        """The row of `arch`.

        Raises:
            UserError: The architecture has no row.
        """
        row = self.rows.get(tuple(arch.get(path, -1) for path in self.paths))
        if row is None:
            raise UserError(f"architecture {dict(arch)} has no row in {self.source}: give the searcher the table's `feasible`")
        return row

    def holds(self, arch: Arch) -> bool:
        """Whether `arch` has a row."""
        return tuple(arch.get(path, -1) for path in self.paths) in self.rows


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnTable:
    """A user's table. Can be pickled.

    The space of `table` holds every combination of labels, also combinations without a row. Every searcher on the table therefore
    needs `feasible`.

    Attributes:
        table: Space, objective, scores and costs. `result` is the objective itself.
        index: Row of each architecture.
        failed: Number of failed rows that were left out.
    """

    table: Table
    index: RowIndex
    failed: int = 0

    @property
    def feasible(self) -> Callable[[Arch], bool]:
        """The hard constraint for searchers: the architecture has a row."""
        return self.index.holds

    @property
    def rows(self) -> int:
        """Number of different architectures that have a row."""
        return len(self.index.rows)

    @property
    def combinations(self) -> int:
        """Number of architectures in the space, with and without a row."""
        return size(self.table.space)


def read_table(path: Path, objective: str, direction: Literal["max", "min"] = "max", costs: Sequence[str] = ()) -> OwnTable:
    """A table from a CSV or JSONL file; the module's docstring describes both formats.

    The space is inferred: one `OneOf` per decision, with the labels that occur, in the order of their first occurrence. If some
    rows lack a decision, that decision has the additional option "-". Where one decision depends on another one, a mutation of a
    single decision often gives an architecture without a row; such a mutant is never proposed.

    If several rows hold the same architecture, their scores are averaged; their costs must be equal. If rows name
    a `fidelity`, all must name the same one.

    Args:
        path: File whose name ends in .csv or .jsonl.
        objective: Score to search for.
        direction: Whether a larger ("max") or a smaller ("min") score is better.
        costs: Names of the costs to read.

    Raises:
        UserError: The file is missing or damaged, lacks the objective, a cost or decisions, or has fewer than two architectures.
            The message names the file and the line.
    """
    goal = Objective(objective, direction)
    records, failed = read_rows(path, (objective,), costs)
    paths = tuple(dict.fromkeys(name for record in records for name in record.arch))
    if records and not paths:
        rule = COLUMNS if path.suffix.lower() == ".csv" else SHAPE
        raise UserError(f"{path}: no row has a decision; {rule}: give each row at least one label")
    options: dict[str, dict[str, int]] = {name: {} for name in paths}
    groups: dict[tuple[int, ...], list[Record]] = {}
    for record in records:
        taken = ((options[name], record.arch.get(name, ABSENT)) for name in paths)
        groups.setdefault(tuple(known.setdefault(label, len(known)) for known, label in taken), []).append(record)
    _check_enough(path, len(groups), failed)
    for group in groups.values():
        _check_costs(path, group)
    index = RowIndex(path.name, paths, {key: row for row, key in enumerate(groups)})
    space = {name: _decision(tuple(labels)) for name, labels in options.items()}
    table = Table(
        name=path.stem,
        title=path.name,
        space=space,
        objective=goal,
        result=goal,
        row=index,
        scores={FIDELITY: {objective: np.array([_mean(group, objective) for group in groups.values()])}},
        epochs={FIDELITY: 1.0},
        costs={name: _column([group[0].costs[i] for group in groups.values()]) for i, name in enumerate(costs)},
        features=Encoder(space).one_hot,
    )
    return OwnTable(table=table, index=index, failed=failed)


def read_scores(path: Path, space: Any, metrics: Sequence[str] = ()) -> Mapping[Arch, Mapping[str, float]]:
    """The scores in a CSV or JSONL file, by architecture of a given space; the module's docstring describes both formats.

    If several rows hold the same architecture, their scores are averaged. Costs are not read.

    Args:
        path: File whose name ends in .csv or .jsonl.
        space: The description with open decisions. Labels in the file are those of `common.arch.labels`.
        metrics: Names of the scores to read. If empty, all scores are read: in a JSONL file, those of the first line; in a CSV
            file, the columns `score.NAME`, or if there are none, every column `NAME` but id, status, fidelity, seconds, parents
            and origin. Every row must hold them.

    Raises:
        UserError: See `read_table`; or a row is no architecture of `space`.
    """
    records, failed = read_rows(path, metrics, ())
    dashed = {name for name, decision in decisions(space).items() if ABSENT in decision.labels}
    groups: dict[Arch, list[Record]] = {}
    for record in records:
        named = {name: label for name, label in record.arch.items() if label != ABSENT or name in dashed}
        groups.setdefault(from_labels(space, named, f"{path}, line {record.line}"), []).append(record)
    _check_enough(path, len(groups), failed)
    return {arch: {name: _mean(group, name) for name in group[0].scores} for arch, group in groups.items()}


def _check_enough(path: Path, n: int, failed: int) -> None:
    if n < 2:
        lost = f" besides {failed} failed rows" if failed else ""
        raise UserError(f"{path}: number of different architectures: {n}{lost}; a search needs at least 2: add rows")


def _check_costs(path: Path, group: Sequence[Record]) -> None:
    for other in group[1:]:
        if other.costs != group[0].costs:
            raise UserError(
                f"{path}, line {other.line}: the same architecture as line {group[0].line}, but with costs {list(other.costs)}, "
                f"not {list(group[0].costs)}; costs of an architecture must be equal: correct or remove one of the lines"
            )


def _mean(group: Sequence[Record], metric: str) -> float:
    return math.fsum(record.scores[metric] for record in group) / len(group)


def _decision(labels: tuple[str, ...]) -> OneOf:
    decision = OneOf(*labels)
    object.__setattr__(decision, "labels", labels)  # as in the file: `OneOf` puts text with commas between quotes
    return decision


def _column(values: Sequence[Number]) -> Column:
    """Whole numbers where all values are such."""
    whole = all(isinstance(value, int) and abs(value) < 2**63 for value in values)
    return np.array(values, dtype=np.int64) if whole else np.array(values, dtype=np.float64)
