"""A user's own table of architectures and scores, read from a CSV or JSONL file.

JSONL, one object per line, as in a run's `trials.jsonl`:

    {"arch": {"kernel": "3", "width": "32"}, "scores": {"accuracy": 91.3}, "cost": {"params": 12000}}

Other keys are ignored. A line whose `status` is "failed", or whose `error` is not empty, is left out.

CSV, comma-separated, with a header: decision columns are named `arch.NAME`, score columns `score.NAME` or `NAME`, cost columns
`cost.NAME`. Other columns are ignored. A row whose column `status` holds "failed" is left out.

A decision that an architecture does not have (conditional spaces) is missing in `arch`, or its cell is empty or "-".
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from common.arch import from_labels
from common.encode import Encoder
from common.errors import UserError
from common.objective import Number, Objective
from common.space import Arch, OneOf, decisions, size
from common.tables.table import Column, Table

FIDELITY = "full"
"""The only fidelity of a user's table."""
ABSENT = "-"
"""Label of a decision that an architecture does not have."""

_BOOKKEEPING = ("id", "status", "fidelity", "seconds", "parents", "origin")
_COLUMNS = "between commas, decision columns are named arch.NAME, score columns score.NAME or NAME, cost columns cost.NAME"
_SHAPE = 'a line is an object {"arch": {DECISION: LABEL}, "scores": {METRIC: NUMBER}, "cost": {METRIC: NUMBER}}'


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

    If several rows hold the same architecture, their scores are averaged; their costs must be equal. Fidelities are ignored, so
    the file must hold scores of one fidelity only.

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
    records, failed = _read(path, (objective,), costs)
    paths = tuple(dict.fromkeys(name for record in records for name in record.arch))
    if records and not paths:
        rule = _COLUMNS if path.suffix.lower() == ".csv" else _SHAPE
        raise UserError(f"{path}: no row has a decision; {rule}: give each row at least one label")
    options: dict[str, dict[str, int]] = {name: {} for name in paths}
    groups: dict[tuple[int, ...], list[_Record]] = {}
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
    records, failed = _read(path, metrics, ())
    dashed = {name for name, decision in decisions(space).items() if ABSENT in decision.labels}
    groups: dict[Arch, list[_Record]] = {}
    for record in records:
        named = {name: label for name, label in record.arch.items() if label != ABSENT or name in dashed}
        groups.setdefault(from_labels(space, named, f"{path}, line {record.line}"), []).append(record)
    _check_enough(path, len(groups), failed)
    return {arch: {name: _mean(group, name) for name in group[0].scores} for arch, group in groups.items()}


@dataclass(frozen=True, slots=True)
class _Raw:
    """One line of the file as it stands there."""

    line: int
    arch: Mapping[str, object]
    scores: Mapping[str, object]
    cost: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class _Record:
    """One checked line: the labels of its decisions, the scores, and the costs in the order asked for."""

    line: int
    arch: Mapping[str, str]
    scores: Mapping[str, Number]
    costs: Sequence[Number]


def _read(path: Path, metrics: Sequence[str], costs: Sequence[str]) -> tuple[list[_Record], int]:
    """The rows that have not failed, and the number of those that have."""
    ending = path.suffix.lower()
    if ending not in (".csv", ".jsonl"):
        raise UserError(f"{path}: a table's name ends in .csv or .jsonl: rename the file, or convert it")
    text = _text(path)
    if not text.strip():
        raise UserError(f"{path}: the file is empty; give one row per architecture")
    records: list[_Record] = []
    failed, names = 0, tuple(metrics)
    for raw in _csv(path, text, metrics, costs) if ending == ".csv" else _jsonl(path, text):
        if raw is None:
            failed += 1
            continue
        where = f"{path}, line {raw.line}"
        names = names or tuple(raw.scores)
        if not names:
            raise UserError(f"{where}: the row has no score; {_SHAPE}: add one to 'scores'")
        records.append(
            _Record(
                raw.line,
                {name: str(label) for name, label in raw.arch.items() if label is not None and label != ""},
                {name: _number(where, "score", name, raw.scores) for name in names},
                [_number(where, "cost", name, raw.cost) for name in costs],
            )
        )
    return records, failed


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); give a .csv or .jsonl file") from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UserError(f"{path}, line {line}: the text is not UTF-8; save the file with the encoding UTF-8") from None


def _jsonl(path: Path, text: str) -> Iterator[_Raw | None]:
    """Each line that is not blank; None for a failed one."""
    for line, part in enumerate(text.split("\n"), start=1):
        if not part.strip():
            continue
        where = f"{path}, line {line}"
        try:
            row = json.loads(part)
        except (ValueError, RecursionError) as error:
            problem = getattr(error, "msg", error)
            raise UserError(f"{where}: not JSON ({problem}); {_SHAPE}: correct or remove the line") from None
        if not isinstance(row, dict):
            raise UserError(f"{where}: {_short(part)} is not a JSON object; {_SHAPE}: correct or remove the line")
        if row.get("status") == "failed" or row.get("error"):
            yield None
            continue
        fields: dict[str, Mapping[str, object]] = {}
        for key, default in (("arch", None), ("scores", None), ("cost", {})):
            value = row.get(key, default)
            if not isinstance(value, dict):
                problem = f"{key!r} is {_short(value)}, not an object" if key in row else f"{key!r} is missing"
                raise UserError(f"{where}: {problem}; {_SHAPE}: correct or remove the line")
            fields[key] = value
        for name, label in fields["arch"].items():
            if isinstance(label, list | dict):
                raise UserError(f"{where}: decision {name!r} is {_short(label)}; a label is text or a number: give one label")
        yield _Raw(line, fields["arch"], fields["scores"], fields["cost"])


def _csv(path: Path, text: str, metrics: Sequence[str], costs: Sequence[str]) -> Iterator[_Raw | None]:
    """Each row that is not blank; None for a failed one."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] = []
    columns: dict[str, dict[str, int]] = {}
    status = -1
    try:
        for cells in reader:
            where = f"{path}, line {reader.line_num}"
            if not any(cell.strip() for cell in cells):
                continue
            if not header:
                header = [cell.strip() for cell in cells]
                columns = _columns(where, header, metrics, costs)
                status = header.index("status") if "status" in header else -1
                continue
            if len(cells) != len(header):
                raise UserError(
                    f"{where}: the row has {len(cells)} cells, the header {len(header)}; each row needs one cell per column: "
                    "correct the line, and put text that holds commas between double quotes"
                )
            if status >= 0 and cells[status].strip() == "failed":
                yield None
                continue
            yield _Raw(
                reader.line_num,
                {name: cells[i].strip() for name, i in columns["arch"].items()},
                {name: _parsed(cells[i]) for name, i in columns["score"].items()},
                {name: _parsed(cells[i]) for name, i in columns["cost"].items()},
            )
    except csv.Error as error:
        line = f"{path}, line {reader.line_num}"
        raise UserError(f"{line}: not CSV ({error}); correct the double quotes in this line or before it") from None


def _columns(where: str, header: Sequence[str], metrics: Sequence[str], costs: Sequence[str]) -> dict[str, dict[str, int]]:
    """The columns to read: arch, score or cost -> name without prefix -> position."""
    found: dict[str, dict[str, int]] = {"arch": {}, "score": {}, "cost": {}, "": {}}
    for i, column in enumerate(header):
        prefix, dot, name = column.partition(".")
        kind, name = (prefix, name) if dot and prefix in ("arch", "score", "cost") else ("", column)
        if name in found[kind] and column:
            raise UserError(f"{where}: two columns are named {column!r}; names must differ: rename or remove one of them")
        found[kind][name] = i
    if not found["arch"]:
        raise UserError(f"{where}: no decision column among {_listed(header)}; {_COLUMNS}: rename the columns")
    bare = {name: i for name, i in found[""].items() if name}
    if twice := [name for name in metrics if name in found["score"] and name in bare]:
        both = f"'score.{twice[0]}' and {twice[0]!r}"
        raise UserError(f"{where}: columns {both} are the same score; {_COLUMNS}: remove one of them")
    if metrics:
        scores = bare | found["score"]
    else:
        scores = found["score"] or {name: i for name, i in bare.items() if name not in _BOOKKEEPING}
    for kind, names, known in (("score", metrics, scores), ("cost", costs, found["cost"])):
        if missing := [name for name in names if name not in known]:
            raise UserError(f"{where}: no {kind} {missing[0]!r}, only {_listed(list(known))}; {_COLUMNS}: name one of these")
    if not scores:
        raise UserError(f"{where}: no score column among {_listed(header)}; {_COLUMNS}: add a column score.NAME")
    chosen = {name: scores[name] for name in metrics} or scores
    return {"arch": found["arch"], "score": chosen, "cost": {name: found["cost"][name] for name in costs}}


def _parsed(cell: str) -> Number | str:
    for kind in (int, float):
        try:
            return kind(cell)
        except ValueError:
            continue
    return cell


def _number(where: str, kind: str, name: str, values: Mapping[str, object]) -> Number:
    if name not in values:
        raise UserError(f"{where}: no {kind} {name!r}, only {_listed(list(values))}; {_SHAPE}: add it or name one of these")
    value = values[name]
    try:
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return value
    except OverflowError:  # a whole number beyond every float
        pass
    raise UserError(f"{where}: {kind} {name!r} is {_short(value)}; it must be a finite number: correct or remove the line")


def _check_enough(path: Path, n: int, failed: int) -> None:
    if n < 2:
        lost = f" besides {failed} failed rows" if failed else ""
        raise UserError(f"{path}: number of different architectures: {n}{lost}; a search needs at least 2: add rows")


def _check_costs(path: Path, group: Sequence[_Record]) -> None:
    for other in group[1:]:
        if other.costs != group[0].costs:
            raise UserError(
                f"{path}, line {other.line}: the same architecture as line {group[0].line}, but with costs {list(other.costs)}, "
                f"not {list(group[0].costs)}; costs of an architecture must be equal: correct or remove one of the lines"
            )


def _mean(group: Sequence[_Record], metric: str) -> float:
    return math.fsum(record.scores[metric] for record in group) / len(group)


def _decision(labels: tuple[str, ...]) -> OneOf:
    decision = OneOf(*labels)
    object.__setattr__(decision, "labels", labels)  # as in the file: `OneOf` puts text with commas between quotes
    return decision


def _column(values: Sequence[Number]) -> Column:
    """Whole numbers where all values are such."""
    whole = all(isinstance(value, int) and abs(value) < 2**63 for value in values)
    return np.array(values, dtype=np.int64) if whole else np.array(values, dtype=np.float64)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:20])
    return f"{shown}, ..." if len(names) > 20 else shown or "none"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
