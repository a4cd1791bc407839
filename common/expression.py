"""Reward expressions over the scores and costs of an architecture, typed by a user and parsed without running them as code.

MnasNet's reward with its soft limit on multiply-adds (Tan et al. 2019, https://arxiv.org/abs/1807.11626), for instance:

>>> reward = parse("accuracy * (300e6 / macs) ** 0.07")
>>> reward.names
('accuracy', 'macs')
>>> reward({"accuracy": 0.75, "macs": 300e6})
0.75

An expression consists of numbers, names, `+ - * / **`, parentheses and the functions `abs`, `exp`, `log` (natural), `max`, `min`
and `sqrt`. All arithmetic is in floats, so the largest power costs no more time than a sum. An infinite or complex value is an
error at the operation that produces the value, even where a later operation would make the result finite again.
"""

from __future__ import annotations

import ast
import math
import operator
import re
import warnings
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING

from common.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

LONGEST = 1000  # characters
DEEPEST = 100  # operations inside each other
PROBES = (0.25, 0.5, 0.9, 2.0, 30.0, 90.0, 1000.0, -1.0)  # fractions, percentages, distances, negated losses

Step = float | str | tuple[str, int]  # a number; a name to read; an operation and its number of operands

_GRAMMAR = "use numbers, names, + - * / ** ( ) and the functions abs, exp, log, max, min, sqrt"
_TOO_DEEP = f"operations are nested more than {DEEPEST} deep; write fewer of them"
_FOREIGN = re.compile(r"[^A-Za-z0-9_.,+\-*/() ]")
_BINARY: dict[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}
_UNARY: dict[type[ast.unaryop], str] = {ast.UAdd: "plus", ast.USub: "minus"}
_ONE, _SEVERAL = ("abs", "exp", "log", "sqrt"), ("max", "min")  # functions by their number of arguments


class ExpressionFailed(ValueError):
    """An expression has no finite real value at the given scores and costs: the evaluation of that architecture failed."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression. `parse` creates it; it can be pickled.

    Attributes:
        text: The expression as typed, each run of white space replaced by one space.
        names: The names that the expression reads, in order of their first appearance.
        steps: The expression in postfix order.
    """

    text: str
    names: tuple[str, ...]
    steps: tuple[Step, ...] = field(repr=False)

    def __call__(self, values: Mapping[str, float]) -> float:
        """The expression's value, finite and real; `values` may hold more names than the expression reads.

        Raises:
            ExpressionFailed: A value is missing or not finite, or an operation divides by zero, overflows or has no real result.
        """
        read = {name: self._read(name, values) for name in self.names}
        stack: list[float] = []
        for step in self.steps:
            if isinstance(step, tuple):
                symbol, arity = step
                operands = stack[-arity:]
                del stack[-arity:]
                stack.append(self._apply(symbol, operands, read))
            else:
                stack.append(read[step] if isinstance(step, str) else step)
        return stack.pop()

    def _read(self, name: str, values: Mapping[str, float]) -> float:
        if name not in values:
            raise ExpressionFailed(f"{self.text!r}: {name} has no value")
        try:
            value = float(values[name])
        except (TypeError, ValueError, OverflowError):
            value = math.nan
        if not math.isfinite(value):
            raise ExpressionFailed(f"{self.text!r}: {name} is {values[name]}, which is not a finite number")
        return value

    def _apply(self, symbol: str, operands: list[float], read: Mapping[str, float]) -> float:
        try:
            result = _OPERATIONS[symbol](*operands)
        except ZeroDivisionError:
            cause = "division by zero"
        except OverflowError:
            cause = "overflow"
        except ValueError:
            cause = f"{symbol} of {' and '.join(f'{operand:g}' for operand in operands)} is not a real number"
        else:
            if math.isfinite(result):
                return result
            cause = "overflow"
        at = ", ".join(f"{name}={value:g}" for name, value in read.items())
        raise ExpressionFailed(f"{self.text!r}: {cause}{at and ' at '}{at}")


def _power(base: float, exponent: float) -> float:
    if base < 0 and not exponent.is_integer():
        raise ValueError("complex")  # Python would return a complex number
    return base**exponent


_OPERATIONS: dict[str, Callable[..., float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": _power,
    "plus": float.__pos__,
    "minus": float.__neg__,
    "abs": float.__abs__,
    "exp": math.exp,
    "log": math.log,
    "max": max,
    "min": min,
    "sqrt": math.sqrt,
}


def parse(text: str, setting: str = "search.reward") -> Expression:
    """The expression that `text` spells. Names are not checked: see `check`.

    Args:
        text: The expression, at most 1,000 characters.
        setting: Name of the setting that holds `text`, for messages.

    Raises:
        UserError: `text` is not an expression of this grammar, is too long or too deep, or has a number too large for a float.
    """
    if len(text) > LONGEST:
        raise UserError(f"{setting}={text[:40] + '...'!r}: {len(text)} characters; at most {LONGEST} are allowed: shorten it")
    line, where = " ".join(text.split()), f"{setting}={text!r}"
    if not line:
        raise UserError(f"{where}: the expression is empty; write one such as accuracy * (300e6 / macs) ** 0.07")
    if foreign := _FOREIGN.search(line):
        hint = "write ** for a power" if foreign[0] == "^" else _GRAMMAR
        raise UserError(f"{where}: the character {foreign[0]!r} is not allowed; {hint}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's own, about such text as 1if x else y, which is refused below
            tree = ast.parse(line, mode="eval")
    except SyntaxError as error:
        at = f" at character {error.offset}" if error.offset else ""
        raise UserError(f"{where}: {error.msg}{at}; {_GRAMMAR}") from None
    except (MemoryError, RecursionError):
        raise UserError(f"{where}: {_TOO_DEEP}") from None
    steps = tuple(_Reader(line, where).steps(tree.body, 1))
    names = tuple(dict.fromkeys(step for step in steps if isinstance(step, str)))
    return Expression(line, names, steps)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Turns a syntax tree into postfix steps; refuses every node that is not in the grammar."""

    line: str
    where: str

    def steps(self, node: ast.expr, depth: int) -> Iterator[Step]:
        if depth > DEEPEST:
            raise UserError(f"{self.where}: {_TOO_DEEP}")
        match node:
            case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
                yield self._number(node, number)
                return
            case ast.Name(id=name):
                yield name
                return
            case ast.BinOp(op=op) if type(op) in _BINARY:
                symbol, operands = _BINARY[type(op)], [node.left, node.right]
            case ast.UnaryOp(op=op) if type(op) in _UNARY:
                symbol, operands = _UNARY[type(op)], [node.operand]
            case ast.Call(func=ast.Name(id=symbol), args=operands, keywords=[]) if symbol in (*_ONE, *_SEVERAL):
                if len(operands) < 2 if symbol in _SEVERAL else len(operands) != 1:
                    rule = "at least 2 arguments" if symbol in _SEVERAL else "1 argument"
                    raise UserError(f"{self.where}: {symbol} takes {rule}, {self._source(node)} has {len(operands)}; correct it")
            case _:
                raise UserError(f"{self.where}: {self._source(node)} is not allowed; {_GRAMMAR}")
        for operand in operands:
            yield from self.steps(operand, depth + 1)
        yield symbol, len(operands)

    def _number(self, node: ast.expr, number: float) -> float:
        try:
            value = float(number)
        except OverflowError:  # of an int
            value = math.inf
        if math.isinf(value):
            raise UserError(f"{self.where}: {self._source(node)} is too large for a float; use a number below 1.8e308")
        return value

    def _source(self, node: ast.expr) -> str:
        return repr(self.line[node.col_offset : node.end_col_offset])


def check(expression: Expression, scores: Sequence[str], costs: Mapping[str, float], setting: str = "search.reward") -> None:
    """Refuses an expression that cannot be the reward of a search, before any work is done.

    An expression that fails only at some scores is accepted: a trial with such scores is a failed trial.

    Args:
        expression: The reward.
        scores: Names of the scores that an evaluation returns.
        costs: The costs of one architecture, by name.
        setting: Name of the setting that holds the expression, for messages.

    Raises:
        UserError: The expression reads a name that is neither a score nor a cost, reads no score, or fails at all probed scores.
    """
    where = f"{setting}={expression.text!r}"
    listed = f"scores: {', '.join(scores) or 'none'}; costs: {', '.join(costs) or 'none'}"
    for name in expression.names:
        if name not in scores and name not in costs:
            spelled = {known.lower(): known for known in (*costs, *scores)}
            close = get_close_matches(name.lower(), spelled, n=1)
            hint = f"write {spelled[close[0]]}" if close else "use one of them"
            raise UserError(f"{where}: {name} is neither a score nor a cost; {hint} ({listed})")
    read = [name for name in expression.names if name in scores]
    if not read:
        raise UserError(f"{where}: it reads no score, so its value would not depend on training; use a score ({listed})")
    causes: list[ExpressionFailed] = []
    for values in _probes(read):
        try:
            expression({**costs, **values})
            return
        except ExpressionFailed as error:
            causes.append(error)
    cause = str(causes[0]).removeprefix(f"{expression.text!r}: ")
    raise UserError(f"{where}: no finite real value at any of {len(causes)} probed scores ({cause}); correct the expression")


def _probes(scores: Sequence[str]) -> Iterator[dict[str, float]]:
    """Equal scores, falling scores and rising scores, so that a difference of two scores is zero, positive and negative."""
    for probe in PROBES:
        yield dict.fromkeys(scores, probe)
        yield {name: probe / (i + 1) for i, name in enumerate(scores)}
        yield {name: probe / (len(scores) - i) for i, name in enumerate(scores)}
