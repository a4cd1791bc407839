"""Reward expressions against Python's own `eval`, and against text that must be refused."""

import ast
import dataclasses
import math
import pickle
import subprocess
import sys
import warnings

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from common import expression as module
from common.errors import UserError
from common.expression import DEEPEST, LONGEST, Expression, ExpressionFailed, check, parse

FUNCTIONS = {"abs": abs, "exp": math.exp, "log": math.log, "max": max, "min": min, "sqrt": math.sqrt}
VALUES = {"accuracy": 0.75, "macs": 3.5e8, "x_1": -2.5}
COSTS = {"macs": 3.5e8, "params": 4e6}
NO_VALUE = "no finite real value at any of 24 probed scores"
LISTED = "(scores: accuracy, mIoU; costs: macs, params)"


def refusal(text: str) -> str:
    """The message with which `parse` refuses `text`, without its beginning."""
    with pytest.raises(UserError) as caught:
        parse(text, "search.goal")
    message, start = str(caught.value), f"search.goal={text!r}: "
    assert message.startswith(start) and "\n" not in message, message
    return message.removeprefix(start)


def failure(text: str, values: dict) -> str:
    with pytest.raises(ExpressionFailed) as caught:
        parse(text)(values)
    assert str(caught.value).startswith(f"{text!r}: ")
    return str(caught.value).removeprefix(f"{text!r}: ")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("accuracy", 0.5),
        ("accuracy * (300e6 / macs) ** 0.07", 0.5 * 0.5**0.07),
        ("accuracy - 0.1 * max(0, log(macs / 3e8))", 0.5 - 0.1 * math.log(2)),
        ("-2 ** 2", -4.0),
        ("2 ** 3 ** 2", 512.0),
        ("2 ** -1", 0.5),
        ("10 - 4 - 3", 3.0),
        ("16 / 4 / 2", 2.0),
        ("+accuracy + -1", -0.5),
        ("1 + 2 * 3", 7.0),
        ("(1 + 2) * 3", 9.0),
        ("(-8) ** 3", -512.0),
        ("abs(-3) + sqrt(16) + exp(0) + log(1)", 8.0),
        ("min(3, 1, 2) - max(3, 1, 2)", -2.0),
        ("1_000 + .5 + 5. + 0x10", 1021.5),
        (" accuracy\n  + 1\t", 1.5),
    ],
)
def test_value(text, value):
    result = parse(text)({"accuracy": 0.5, "macs": 600e6, "unread": math.nan})
    assert type(result) is float and result == pytest.approx(value, rel=1e-15)


def test_arithmetic_is_in_floats():
    assert parse("2 ** 0.5 * 0 + 3")({}) == 3.0 and type(parse("3")({})) is float
    assert type(parse("max(a, 2)")({"a": 1})) is float and type(parse("a")({"a": True})) is float
    assert parse("(2 ** 53 + 1) - 2 ** 53")({}) == 0.0  # 1.0 in integers


def test_names_are_in_order_of_appearance_and_functions_are_no_names():
    assert parse("b * a + max(c, b) ** log(_d2)").names == ("b", "a", "c", "_d2")
    assert parse("max(min, 1)").names == ("min",)  # a score may have a function's name
    assert parse("max(min, 1)")({"min": 4.0}) == 4.0
    assert parse("1 + 2").names == ()


def test_text_keeps_one_space_for_each_white_space():
    assert parse(" a \n + \t b ").text == "a + b"
    assert parse("a+b") == parse(" a+b ") != parse("a + b")
    assert repr(parse("a")) == "Expression(text='a', names=('a',))"


def test_an_expression_is_frozen_hashable_and_picklable():
    reward = parse("accuracy - 0.1 * max(0, log(macs / 3e8))")
    copy = pickle.loads(pickle.dumps(reward))
    assert copy == reward and hash(copy) == hash(reward) and copy(VALUES) == reward(VALUES)
    with pytest.raises(dataclasses.FrozenInstanceError):
        reward.text = "1"  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(ExpressionFailed) as caught:
        reward({})
    again = pickle.loads(pickle.dumps(caught.value))
    assert type(again) is ExpressionFailed and str(again) == str(caught.value) and isinstance(again, ValueError)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ("a.b", "'a.b' is not allowed"),
        ("a + (1).real", "'(1).real' is not allowed"),
        ("a[0]", "'['"),
        ("a + f(1)", "'f(1)' is not allowed"),
        ("eval(a)", "'eval(a)' is not allowed"),
        ("__import__(a)", "is not allowed"),
        ("abs(1)(2)", "'abs(1)(2)' is not allowed"),
        ("a.max(1, 2)", "is not allowed"),
        ("lambda: 1", "':'"),
        ("'a'", '"\'"'),
        ("{a}", "'{'"),
        ("a < b", "'<'"),
        ("a = 1", "'='"),
        ("a # b", "'#'"),
        ("a ^ 2", "write ** for a power"),
        ("a % 2", "'%'"),
        ("a × b", "'×'"),
        ("a\x00", "'\\x00'"),
        ("ａ + 1", "'ａ'"),  # Python would read the name a
        ("a // b", "'a // b' is not allowed"),
        ("not a", "'not a' is not allowed"),
        ("a or b", "'a or b' is not allowed"),
        ("a is b", "'a is b' is not allowed"),
        ("1if a else 2", "'1if a else 2' is not allowed"),
        ("a, b", "'a, b' is not allowed"),
        ("()", "'()' is not allowed"),
        ("max(*a, 1)", "'*a' is not allowed"),
        ("max(1, 2, **a)", "is not allowed"),
        ("max(1, (x for x in a))", "'(x for x in a)' is not allowed"),
        ("True", "'True' is not allowed"),
        ("None + 1", "'None' is not allowed"),
        ("...", "'...' is not allowed"),
        ("2j", "'2j' is not allowed"),
        ("1 +", "invalid syntax;"),
        ("(1 + 2", "'(' was never closed at character 1;"),
        ("a b", "invalid syntax at character 3;"),
        ("1e400 * a", "'1e400' is too large"),
        ("9" * 400, "is too large for a float"),
        ("min(a)", "min takes at least 2 arguments, 'min(a)' has 1"),
        ("max()", "max takes at least 2 arguments, 'max()' has 0"),
        ("log(a, 2)", "log takes 1 argument, 'log(a, 2)' has 2"),
        ("sqrt()", "sqrt takes 1 argument, 'sqrt()' has 0"),
        ("abs(1, 2)", "abs takes 1 argument"),
        ("exp(1, 2)", "exp takes 1 argument"),
        ("(" * 300 + "1" + ")" * 300, "too many nested parentheses"),
        ("-" * (LONGEST - 1) + "1", f"more than {DEEPEST} deep"),
        ("9" + "**9" * 300, f"more than {DEEPEST} deep"),
        ("1" + "+1" * 400, f"more than {DEEPEST} deep"),
    ],
)
def test_other_text_is_refused_without_a_warning(text, part):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert part in refusal(text)


def test_length_limit():
    number = "1" + " " * (LONGEST - 3) + "+1"
    with pytest.raises(UserError) as caught:
        parse("(" * 100_000)
    assert str(caught.value) == f"search.reward='{'(' * 40}...': 100000 characters; at most 1000 are allowed: shorten it"
    assert parse(number)({}) == 2.0
    with pytest.raises(UserError, match=f"{LONGEST + 1} characters"):
        parse(number + "1")


def test_depth_limit():
    assert parse("-" * (DEEPEST - 1) + "a")({"a": 3.0}) == -3.0
    assert "deep" in refusal("-" * DEEPEST + "a")
    assert parse("(" * 150 + "a" + ")" * 150)({"a": 3.0}) == 3.0


@pytest.mark.parametrize("error", [RecursionError, MemoryError])
def test_a_parser_without_stack_is_a_user_error(error, monkeypatch):
    def overflow(*_, **__):
        raise error

    with monkeypatch.context() as patch, pytest.raises(UserError) as caught:
        patch.setattr(module.ast, "parse", overflow)
        parse("a")
    assert str(caught.value).startswith("search.reward='a': operations are nested")


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("a / z", "division by zero at a=0.5, z=0"),
        ("1 / 0", "division by zero"),
        ("z ** -1", "division by zero at z=0"),
        ("9**9**9**9", "overflow"),
        ("9 ** 999999999", "overflow"),
        ("exp(1000)", "overflow"),
        ("1e308 * 10", "overflow"),
        ("1 / (1e308 * 10)", "overflow"),  # finite at the end
        ("-1e308 - 1e308", "overflow"),
        ("(-8) ** (1 / 3)", "** of -8 and 0.333333 is not a real number"),
        ("abs((-a) ** 0.5)", "** of -0.5 and 0.5 is not a real number at a=0.5"),  # Python's abs of a complex number is real
        ("log(z)", "log of 0 is not a real number at z=0"),
        ("sqrt(-a)", "sqrt of -0.5 is not a real number at a=0.5"),
        ("a + missing", "missing has no value"),
        ("nan + a", "nan is nan, which is not a finite number"),
        ("0 * inf", "inf is inf, which is not a finite number"),
        ("none", "none is None, which is not a finite number"),
        ("huge", f"huge is {10**400}, which is not a finite number"),
    ],
)
def test_failure_names_expression_and_cause(text, cause):
    values = {"a": 0.5, "z": 0.0, "nan": math.nan, "inf": math.inf, "none": None, "huge": 10**400}
    assert failure(text, values) == cause


def operations(inner):
    spaces = st.sampled_from(["", " ", "  "])
    return st.one_of(
        st.builds(lambda a, s, op, b: f"{a}{s}{op}{s}{b}", inner, spaces, st.sampled_from(["+", "-", "*", "/", "**"]), inner),
        st.builds(lambda sign, a: f"{sign}{a}", st.sampled_from("+-"), inner),
        st.builds(lambda a: f"({a})", inner),
        st.builds(lambda name, a: f"{name}({a})", st.sampled_from(["abs", "exp", "log", "sqrt"]), inner),
        st.builds(
            lambda name, a: f"{name}({', '.join(a)})", st.sampled_from(["min", "max"]), st.lists(inner, min_size=2, max_size=4)
        ),
    )


LEAVES = st.sampled_from(sorted(VALUES)) | st.floats(0, 1e3).map(repr)  # with integers, Python would compute exactly
VALID = st.recursive(LEAVES, operations, max_leaves=12).filter(lambda text: len(text) <= LONGEST)


def expected(text: str) -> float | None:
    """What Python computes; None if any part of the expression has no finite real value."""
    for node in reversed([node for node in ast.walk(ast.parse(text, mode="eval").body) if isinstance(node, ast.expr)]):
        if isinstance(node, ast.Name) and node.id in FUNCTIONS:
            continue
        part = compile(ast.fix_missing_locations(ast.Expression(node)), "", "eval")
        try:
            value = eval(part, {"__builtins__": {}}, {**VALUES, **FUNCTIONS})
        except (ZeroDivisionError, OverflowError, ValueError, TypeError):
            return None
        if isinstance(value, complex) or not math.isfinite(value):
            return None
    return value


@settings(max_examples=400, deadline=None)
@given(VALID)
@example("2.0**-accuracy**2.0")
@example("-x_1**0.5")
def test_value_is_that_of_python(text):
    try:
        found = parse(text)(VALUES)
    except ExpressionFailed:
        found = None
    assert found == expected(text)


OPERATORS, WORDS = ("+", "-", "*", "/", "(", ")", ".", ",", " ", "_", "**", "//"), ("if", "else", "for", "in", "not", "or")
OPERANDS = ("1", "9", "1e9", "0x", "j", "a", "accuracy", "max(", "log(", "abs(1)", "x")
TOKENS = st.sampled_from([*OPERATORS, *OPERANDS, *WORDS, *(f" {word} " for word in WORDS)])


@settings(max_examples=500, deadline=None)
@given(st.text(max_size=40) | st.lists(TOKENS, max_size=25).map("".join) | VALID)
@example("\ud800")
@example("9**9**9**9")
def test_any_text_gives_a_finite_value_or_one_of_the_two_errors(text):
    try:
        reward = parse(text)
    except UserError as error:
        assert str(error).startswith(f"search.reward={text!r}: ") and "\n" not in str(error)
        return
    assert isinstance(reward, Expression) and pickle.loads(pickle.dumps(reward)) == reward
    try:
        value = reward(dict.fromkeys(reward.names, 0.5))
    except ExpressionFailed:
        return
    assert type(value) is float and math.isfinite(value)


@pytest.mark.parametrize(
    "text",
    [
        "accuracy",
        "accuracy * (300e6 / macs) ** 0.07",
        "accuracy - recall + params",
        "1 / (accuracy - recall)",  # fails where the scores are equal
        "log(accuracy) + log(accuracy - recall)",
        "log(accuracy) + log(recall - accuracy)",
        "log(accuracy - 0.95)",
        "sqrt(accuracy - 60)",  # in per cent
        "sqrt(0.3 - accuracy)",
        "log(-accuracy)",  # a negated loss
    ],
)
def test_check_accepts_an_expression_that_has_a_value_at_some_scores(text):
    check(parse(text), ["accuracy", "recall"], COSTS)


UNKNOWN = "is neither a score nor a cost"
NO_SCORE = "it reads no score, so its value would not depend on training; use a score"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("accurcy", f"accurcy {UNKNOWN}; write accuracy {LISTED}"),
        ("accuracy * MAC", f"MAC {UNKNOWN}; write macs {LISTED}"),
        ("miou", f"miou {UNKNOWN}; write mIoU {LISTED}"),
        ("zzz", f"zzz {UNKNOWN}; use one of them {LISTED}"),
        ("accuracy + __class__", f"__class__ {UNKNOWN}; use one of them {LISTED}"),
        ("1 / macs", f"{NO_SCORE} {LISTED}"),
        ("1", f"{NO_SCORE} {LISTED}"),
        ("accuracy / 0", f"{NO_VALUE} (division by zero at accuracy=0.25); correct the expression"),
        ("accuracy / (macs - macs)", f"{NO_VALUE} (division by zero at accuracy=0.25, macs=3.5e+08); correct the expression"),
        ("accuracy * exp(macs)", f"{NO_VALUE} (overflow at accuracy=0.25, macs=3.5e+08); correct the expression"),
        (
            "sqrt(-1) + mIoU",
            f"{NO_VALUE} (sqrt of -1 is not a real number at mIoU=0.25); correct the expression",
        ),
    ],
)
def test_check_refuses(text, message):
    with pytest.raises(UserError) as caught:
        check(parse(text), ["accuracy", "mIoU"], COSTS, "search.goal")
    assert str(caught.value) == f"search.goal={text!r}: {message}"


def test_check_without_costs_or_scores():
    check(parse("accuracy"), ["accuracy"], {})
    with pytest.raises(UserError, match=r"search.reward='macs': .*\(scores: accuracy; costs: none\)"):
        check(parse("macs"), ["accuracy"], {})
    with pytest.raises(UserError, match=r"it reads no score.*\(scores: none; costs: macs, params\)"):
        check(parse("macs"), [], COSTS)


def test_importing_it_imports_nothing_heavy():
    code = "import sys, common.expression; print({'torch', 'numpy'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "set()"
