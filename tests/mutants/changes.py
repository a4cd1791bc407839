"""Small mistakes in a source file, one at a time: what a mutation run plants."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

_COMPARE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    **{ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq},
    **{ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In},
}
_BINARY: dict[type[ast.operator], type[ast.operator]] = {
    **{ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult},
    **{ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr},
}

GUARDS = frozenset(("kw_only", "init", "frozen", "slots", "strict"))
"""Arguments that refuse what no correct caller does; type checkers hold the callers to most of them."""


@dataclass(frozen=True, slots=True, order=True)
class Mutant:
    """One change of one place.

    Attributes:
        file: path from the root of the repository.
        line: where it is, from 1.
        start: offset of the place in the file, in bytes.
        end: its end.
        before: the source there.
        after: what takes its place.
    """

    file: str
    line: int
    start: int
    end: int
    before: str
    after: str

    @property
    def change(self) -> str:
        """The change as one line."""
        return " -> ".join(" ".join(text.split())[:60] for text in (self.before, self.after))

    @property
    def lines(self) -> range:
        """The lines of the place."""
        return range(self.line, self.line + self.before.count("\n") + 1)

    def planted(self, source: bytes) -> bytes:
        """The file with the change."""
        return source[: self.start] + self.after.encode() + source[self.end :]


def mutants(file: str, source: bytes) -> list[Mutant]:
    """Every change of a file, in the order of its lines.

    Docstrings, annotations, texts, imports and what only type checkers read are left alone: no test sees them. So are
    assertions, `zip`'s `strict` among them, and what a dataclass forbids its callers (`kw_only`, `init`, `frozen`, `slots`).
    """
    tree = ast.parse(source)
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found = []
    for node, after in _changes(tree):
        start = starts[node.lineno - 1] + node.col_offset
        end = starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)
        found.append(Mutant(file, node.lineno, start, end, source[start:end].decode(), after))
    return sorted(set(found))


def _changes(node: ast.AST) -> Iterator[tuple[ast.expr | ast.stmt, str]]:
    """Places and what takes their place."""
    if isinstance(node, ast.expr | ast.stmt):
        yield from ((node, after) for after in _of(node))
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "type_params"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _unseen(child) and not (isinstance(child, ast.keyword) and child.arg in GUARDS):
                yield from _changes(child)


def _unseen(node: ast.AST) -> bool:
    """Imports, texts, error messages, and what only type checkers read."""
    if isinstance(node, ast.Import | ast.ImportFrom | ast.JoinedStr | ast.Raise | ast.Assert):
        return True
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _of(node: ast.expr | ast.stmt) -> Iterator[str]:
    match node:
        case ast.Compare(ops=[op]) if type(op) in _COMPARE:
            yield ast.unparse(ast.Compare(node.left, [_COMPARE[type(op)]()], node.comparators))
        case ast.BinOp() if type(node.op) in _BINARY:
            yield f"({ast.unparse(ast.BinOp(node.left, _BINARY[type(node.op)](), node.right))})"
        case ast.BoolOp():
            other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            yield f"({ast.unparse(ast.BoolOp(other, node.values))})"
        case ast.UnaryOp(op=ast.Not() | ast.USub()):
            yield f"({ast.unparse(node.operand)})"
        case ast.Constant(value=bool()):
            yield str(not node.value)
        case ast.Constant(value=int() | float() as number):
            yield f"{number + 1}"
        case ast.IfExp():
            yield f"({ast.unparse(node.body)})"
            yield f"({ast.unparse(node.orelse)})"
        case ast.Call(keywords=[*_, ast.keyword(arg=str(last))]) if last not in GUARDS:
            fewer = ast.Call(node.func, node.args, node.keywords[:-1])
            yield ast.unparse(fewer)
        case ast.Expr(value=ast.Call()) | ast.AugAssign() | ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield "pass"
        case ast.Continue() | ast.Break():
            yield "pass"
        case ast.Return(value=ast.expr()) if not isinstance(node.value, ast.Constant):
            yield "return None"
        case _:
            pass
