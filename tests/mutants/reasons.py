"""Why some mutants survive: `reasons.json`, a list for each file of what no test can notice."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from tests.mutants.changes import Mutant
from tests.mutants.covering import ROOT

Place = tuple[str, str, str, str]
"""File, class and function around the line, the line itself, the change: all that stays as the file grows."""


def reasons(mutants: Iterable[Mutant]) -> dict[Mutant, str]:
    """Why no test notices them, for those that `reasons.json` names."""
    known = known_places()
    return {mutant: known[place] for mutant in mutants if (place := place_of(mutant)) in known}


def known_places() -> dict[Place, str]:
    """What `reasons.json` says."""
    files = json.loads((Path(__file__).parent / "reasons.json").read_text())
    return {(file, row["in"], row["line"], row["change"]): row["reason"] for file, rows in files.items() for row in rows}


def place_of(mutant: Mutant) -> Place:
    """Where a mutant is, in words that do not change with the number of its line."""
    lines, tree = _read(mutant.file)
    scopes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)]
    around = [node for node in scopes if node.lineno <= mutant.line <= (node.end_lineno or 0)]
    scope = ".".join(node.name for node in sorted(around, key=lambda node: node.lineno))
    return mutant.file, scope, lines[mutant.line - 1].strip(), mutant.change


@cache
def _read(file: str) -> tuple[list[str], ast.Module]:
    text = (ROOT / file).read_text()
    return text.splitlines(), ast.parse(text)
