"""The rows of a user's table of architectures and scores, CSV or JSONL; `common.tables.own` describes both formats."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from common.errors import UserError, shown
from common.json_text import NotJson, parse_foreign
from common.objective import Number

_BOOKKEEPING = ("id", "status", "fidelity", "seconds", "parents", "origin")
COLUMNS = "between commas, decision columns are named arch.NAME, score columns score.NAME or NAME, cost columns cost.NAME"
"""The rule for columns, for error messages."""
SHAPE = 'a line is an object {"arch": {DECISION: LABEL}, "scores": {METRIC: NUMBER}, "cost": {METRIC: NUMBER}}'
"""The rule for lines, for error messages."""


@dataclass(frozen=True, slots=True)
class _Raw:
    """One line of the file as it stands there."""

    line: int
    arch: Mapping[str, object]
    scores: Mapping[str, object]
    cost: Mapping[str, object]
    fidelity: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """One checked line: the labels of its decisions, the scores, and the costs in the order asked for."""

    line: int
    arch: Mapping[str, str]
    scores: Mapping[str, Number]
    costs: Sequence[Number]


def read_rows(path: Path, metrics: Sequence[str], costs: Sequence[str]) -> tuple[list[Record], int]:
    """The rows that have not failed, and the number of those that have.

    Args:
        path: file whose name ends in .csv or .jsonl.
        metrics: scores to read; all of the first row if empty.
        costs: costs to read.

    Raises:
        UserError: the file cannot be read, or a row is damaged; names the file and the line.
    """
    ending = path.suffix.lower()
    if ending not in (".csv", ".jsonl"):
        raise UserError(f"{path}: a table's name ends in .csv or .jsonl: rename the file, or convert it")
    text = _text(path)
    if not text.strip():
        raise UserError(f"{path}: the file is empty; give one row per architecture")
    records: list[Record] = []
    failed, names, fidelity = 0, tuple(metrics), None
    for raw in _csv(path, text, metrics, costs) if ending == ".csv" else _jsonl(path, text):
        if raw is None:
            failed += 1
            continue
        where = f"{path}, line {raw.line}"
        fidelity = raw.fidelity if fidelity is None else fidelity
        if raw.fidelity != fidelity:
            raise UserError(
                f"{where}: fidelity {shown(raw.fidelity)} after rows of {fidelity!r}; scores of several do not compare: "
                "keep the rows of one"
            )
        names = names or tuple(raw.scores)
        if not names:
            raise UserError(f"{where}: the row has no score; {SHAPE}: add one to 'scores'")
        records.append(
            Record(
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
            row = parse_foreign(part)
        except NotJson as error:
            raise UserError(f"{where}: not JSON ({error.reason}); {SHAPE}: correct or remove the line") from None
        if not isinstance(row, dict):
            raise UserError(f"{where}: {shown(part)} is not a JSON object; {SHAPE}: correct or remove the line")
        if row.get("status") == "failed" or row.get("error"):
            yield None
            continue
        fields: dict[str, Mapping[str, object]] = {}
        for key, default in (("arch", None), ("scores", None), ("cost", {})):
            value = row.get(key, default)
            if not isinstance(value, dict):
                problem = f"{key!r} is {shown(value)}, not an object" if key in row else f"{key!r} is missing"
                raise UserError(f"{where}: {problem}; {SHAPE}: correct or remove the line")
            fields[key] = value
        for name, label in fields["arch"].items():
            if isinstance(label, list | dict):
                raise UserError(f"{where}: decision {shown(name)} is {shown(label)}; a label is text or a number: give one label")
        yield _Raw(line, fields["arch"], fields["scores"], fields["cost"], str(row.get("fidelity", "")))


def _csv(path: Path, text: str, metrics: Sequence[str], costs: Sequence[str]) -> Iterator[_Raw | None]:
    """Each row that is not blank; None for a failed one."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] = []
    columns: dict[str, dict[str, int]] = {}
    status = level = -1
    try:
        for cells in reader:
            where = f"{path}, line {reader.line_num}"
            if not any(cell.strip() for cell in cells):
                continue
            if not header:
                header = [cell.strip() for cell in cells]
                columns = _columns(where, header, metrics, costs)
                status, level = (header.index(name) if name in header else -1 for name in ("status", "fidelity"))
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
                cells[level].strip() if level >= 0 else "",
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
            raise UserError(f"{where}: two columns are named {shown(column)}; names must differ: rename or remove one of them")
        found[kind][name] = i
    if not found["arch"]:
        raise UserError(f"{where}: no decision column among {_listed(header)}; {COLUMNS}: rename the columns")
    bare = {name: i for name, i in found[""].items() if name}
    if twice := [name for name in metrics if name in found["score"] and name in bare]:
        both = f"'score.{twice[0]}' and {twice[0]!r}"
        raise UserError(f"{where}: columns {both} are the same score; {COLUMNS}: remove one of them")
    if metrics:
        scores = bare | found["score"]
    else:
        scores = found["score"] or {name: i for name, i in bare.items() if name not in _BOOKKEEPING}
    for kind, names, known in (("score", metrics, scores), ("cost", costs, found["cost"])):
        if missing := [name for name in names if name not in known]:
            raise UserError(f"{where}: no {kind} {missing[0]!r}, only {_listed(list(known))}; {COLUMNS}: name one of these")
    if not scores:
        raise UserError(f"{where}: no score column among {_listed(header)}; {COLUMNS}: add a column score.NAME")
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
        raise UserError(f"{where}: no {kind} {shown(name)}, only {_listed(list(values))}; {SHAPE}: add it or name one of these")
    value = values[name]
    try:
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return value
    except OverflowError:  # a whole number beyond every float
        pass
    raise UserError(f"{where}: {kind} {shown(name)} is {shown(value)}; it must be a finite number: correct or remove the line")


def _listed(names: Sequence[str]) -> str:
    text = ", ".join(shown(name) for name in names[:20])
    return f"{text}, ..." if len(names) > 20 else text or "none"
