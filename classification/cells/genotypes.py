"""Published cells as data (genotypes.json), and every way to write one down.

Rows are `[target node, source node, operation]`. The text of the official code lists `(operation, source)` pairs, two for each
node in order; that of FairDARTS `(operation, target, source)` triples, since its nodes have any number of inputs.
"""

from __future__ import annotations

import ast
import difflib
import json
import os
import warnings
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from classification.cells.operations import MAKERS
from classification.cells.space import (
    FIRST,
    OPERATIONS,
    WITHOUT_NONE,
    Cell,
    Edge,
    Genotype,
    Node,
    darts_space,
    existing,
    genotype_of,
)
from common.arch import from_json
from common.errors import UserError, shown
from common.json_text import NotJson, parse_foreign
from common.space import decode, space_fingerprint

FIELDS = ("normal", "normal_concat", "reduce", "reduce_concat")
LAST = 5
"""The number of a DARTS cell's last node; a cell may leave it without inputs. Larger ones are those that are used."""
MOST = 99
"""The largest number of a node: a typing error must not take all memory."""


@cache
def published() -> Mapping[str, Genotype]:
    """Name -> cells, of all that genotypes.json has; where each was read is its `source` there."""
    data = json.loads((Path(__file__).parent / "genotypes.json").read_text(encoding="utf-8"))
    return {name: from_rows(rows, name) for name, rows in data.items()}


def read_genotype(text: str) -> Genotype:
    """The cells that `text` stands for.

    Args:
        text: a published name (`DARTS_V2`), the text `Genotype(normal=[...], ...)` (a name may be assigned to it, and it may be
            a line of a search's log), or a file: with such a text, with rows as JSON, or an architecture of `darts_space` as
            `common.arch.save` writes it.

    Raises:
        UserError: none of these, or damaged.
    """
    if text in published():
        return published()[text]
    if "Genotype(" in text:
        return from_text(text, "genotype")
    if os.path.isdir(text):
        raise UserError(f"{text} is a folder; of a run, give {os.path.join(text, 'best', 'arch.json')}")
    if not os.path.isfile(text):
        if os.sep in text or "." in text:
            raise UserError(f"{text}: no such file; give a published name, or a file with a genotype")
        names = {name.lower(): name for name in published()}
        likely = [names[close] for close in difflib.get_close_matches(text.lower(), names)]
        hint = f"did you mean {' or '.join(likely)}? " if likely else ""
        raise UserError(f"no published cell is called {shown(text)}: {hint}There are {', '.join(published())}; a file works too")
    try:
        content = Path(text).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{text}: cannot be read ({error}); give a text or JSON file with a genotype") from None
    if not content.lstrip().startswith("{"):
        return from_text(content, text)
    try:
        data = parse_foreign(content)
    except NotJson as error:
        raise UserError(f"{text}: not JSON ({error}); give the file as it was written") from None
    return _from_arch(data, text) if "choices" in data else from_rows(data, text)


def from_rows(data: Any, source: str = "genotype", known: Collection[str] = tuple(MAKERS), *, whole: bool = False) -> Genotype:
    """Cells of an object with `normal`, `normal_concat`, `reduce` and `reduce_concat`; other keys are not read.

    Args:
        data: what JSON gives.
        source: what to call it in an error, its file say.
        known: names of operations.
        whole: whether every node up to the last one of the output has an input; else nodes without are left out of it.

    Raises:
        UserError: it has another form; names the field and the row.
    """
    if missing := [key for key in FIELDS if key not in data]:
        raise UserError(f"{source}: {missing[0]!r} is missing; a genotype has {', '.join(FIELDS)}")
    normal = _cell(data["normal"], data["normal_concat"], f"{source}: normal", known, whole)
    reduction = _cell(data["reduce"], data["reduce_concat"], f"{source}: reduce", known, whole)
    return Genotype(normal=normal, reduction=reduction)


def from_text(text: str, source: str = "genotype", known: Collection[str] = tuple(MAKERS), *, whole: bool = False) -> Genotype:
    """Cells of the official code's notation, which is parsed and never run; arguments and errors as in `from_rows`.

    Text around it that is no Python, as the date and the level in a line of a log, is left out.
    """
    try:
        statements = _parsed(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = f" in line {error.lineno}" if isinstance(error, SyntaxError) else ""
        raise UserError(f"{source}: cannot be parsed{line}; write Genotype(normal=[('sep_conv_3x3', 0), ...], ...)") from None
    calls = [s.value for s in statements if isinstance(s, ast.Expr | ast.Assign) and isinstance(s.value, ast.Call)]
    calls = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "Genotype"]
    if len(calls) != 1:
        raise UserError(f"{source}: has {len(calls)} of Genotype(...); give a text with one, of a log one line")
    values: dict[str, ast.expr] = dict(zip(FIELDS, calls[0].args))
    values |= {word.arg: word.value for word in calls[0].keywords if word.arg}
    read = {key: _literal(value, f"{source}: {key}") for key, value in values.items()}
    for key in ("normal", "reduce"):
        if key in read:
            read[key] = _rows(read[key], f"{source}: {key}")
    return from_rows(read, source, known, whole=whole)


def _parsed(text: str) -> list[ast.stmt]:
    """The statements of a text; where it is no Python, those that begin at the word Genotype in each of its lines.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: as `ast.parse`.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of odd escapes in strings: they end as unknown operations
        try:
            return ast.parse(text.strip()).body
        except SyntaxError as error:
            found = [line[line.index("Genotype(") :].strip() for line in text.splitlines() if "Genotype(" in line]
            cut = [line[: line.rindex(")") + 1] if ")" in line else line for line in found]
            if not cut or cut == [text.strip()]:
                raise error
            return [statement for line in cut for statement in ast.parse(line).body]


def to_text(genotype: Genotype) -> str:
    """The notation that `from_text` reads: pairs where every node has two inputs, triples where not."""
    cells = (genotype.normal, genotype.reduction)
    pairs = all(len(node.edges) == 2 for cell in cells for node in cell.nodes)
    parts = []
    for name, cell in zip(("normal", "reduce"), cells, strict=True):
        edges = [(number, edge) for number, node in enumerate(cell.nodes, FIRST) for edge in node.edges]
        listed = [(edge.op, edge.source) if pairs else (edge.op, number, edge.source) for number, edge in edges]
        parts.append(f"{name}={listed}, {name}_concat={list(cell.concat)}")
    return f"Genotype({', '.join(parts)})"


def _from_arch(data: Any, source: str) -> Genotype:
    """The cells of an architecture file, of whichever `darts_space` it was written for."""
    choices = data["choices"] if isinstance(data["choices"], dict) else {}
    nodes = sum(path.startswith("normal.") and path.endswith(".edges") for path in choices)
    if not nodes:
        raise UserError(f"{source}: an architecture of another space; give one of darts, or a genotype")
    spaces = [darts_space(nodes=nodes, operations=operations) for operations in (WITHOUT_NONE, OPERATIONS)]
    space = next((space for space in spaces if space_fingerprint(space) == data.get("space")), spaces[0])
    return genotype_of(decode(space, from_json(space, data, source)))


def _literal(value: ast.expr, where: str) -> Any:
    """A literal, or `range(a, b)`, alone or in `list(...)`."""
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and not value.keywords:
        if value.func.id == "list" and len(value.args) == 1:
            return _literal(value.args[0], where)
        bounds = [a.value for a in value.args if isinstance(a, ast.Constant) and type(a.value) is int and abs(a.value) < 1000]
        if value.func.id == "range" and len(bounds) == len(value.args) in (1, 2):
            return list(range(*bounds))
    try:
        return ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        raise UserError(f"{where} is {shown(ast.unparse(value))}; write a list, or range(2, 6)") from None


def _rows(pairs: Any, where: str) -> list[list[Any]]:
    """Rows of (operation, source) pairs, two for each node, or of (operation, target, source) triples."""
    if not isinstance(pairs, list | tuple) or not all(isinstance(pair, list | tuple) for pair in pairs):
        raise UserError(f"{where} is {shown(pairs)}; write a list of (operation, source) pairs")
    if pairs and all(len(pair) == 3 for pair in pairs):
        return [[target, origin, op] for op, target, origin in pairs]
    if odd := [pair for pair in pairs if len(pair) != 2]:
        raise UserError(f"{where} has {shown(odd[0])}; write (operation, source) or (operation, target, source) throughout")
    if len(pairs) % 2:
        raise UserError(f"{where} has {len(pairs)} pairs; each node has two: add one, or write (operation, target, source)")
    return [[FIRST + i // 2, origin, op] for i, (op, origin) in enumerate(pairs)]


def _cell(rows: Any, concat: Any, where: str, known: Collection[str], whole: bool) -> Cell:
    if not isinstance(rows, Sequence) or isinstance(rows, str):
        raise UserError(f"{where} is {shown(rows)}; write a list of [target, source, operation]")
    numbers = isinstance(concat, Sequence) and all(type(n) is int for n in concat)
    if not numbers or not concat or len(set(concat)) < len(concat):
        raise UserError(f"{where}_concat is {shown(concat)}; list the nodes whose outputs are joined, each once: [2, 3, 4, 5]")
    for row in rows:
        _check_row(row, where, known)
    targets = [row[0] for row in rows]
    last = max(LAST, *targets, 0)
    if outside := [n for n in concat if not FIRST <= n <= last]:
        raise UserError(f"{where}_concat names node {shown(outside[0])}; the cell has nodes {FIRST} to {last}")
    last = max(LAST, *concat)
    if outside := [target for target in targets if target > last]:
        raise UserError(f"{where} has node {outside[0]}, beyond the last one of the output ({last}); name it in {where}_concat")
    edges: dict[int, list[Edge]] = {number: [] for number in range(FIRST, max(targets, default=0) + 1)}
    for target, origin, op in rows:
        edges[target].append(Edge(source=origin, op=op))
    if whole and (empty := [number for number in range(FIRST, max(concat) + 1) if not edges.get(number)]):
        raise UserError(f"{where}: node {empty[0]} has no inputs; give it two, with the operation none if need be")
    nodes = tuple(Node(edges=tuple(sorted(taken, key=lambda edge: edge.source))) for taken in edges.values())
    try:
        return existing(Cell(nodes=nodes, concat=tuple(sorted(concat))))
    except UserError as empty:
        raise UserError(f"{where}: {empty}") from None


def _check_row(row: Any, where: str, known: Collection[str]) -> None:
    said = f"{where} has {shown(row)}"
    match row:
        case [int(target), int(origin), str(op)] if bool not in (type(target), type(origin)):
            pass
        case _:
            raise UserError(f"{said}; a row is [target, source, operation], [2, 0, 'sep_conv_3x3'] say")
    if target > MOST:
        raise UserError(f"{said}: a cell has no more than {MOST} nodes; write the number of one")
    if target < FIRST:
        raise UserError(f"{said}: node {target} is an input of the cell; targets are numbered from {FIRST}")
    if origin < 0:
        raise UserError(f"{said}: there is no node {shown(origin)}; sources are numbered from 0")
    if origin >= target:
        raise UserError(f"{said}: node {target} cannot read node {shown(origin)}; the source must come before the target")
    if op not in known:
        raise UserError(f"{where}: operation {shown(op)} does not exist; choose one of {', '.join(known)}")
