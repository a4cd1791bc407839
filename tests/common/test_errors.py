"""Values in messages: cut, on one line, without control characters."""

import pickle

import pytest

from common.errors import LONGEST, MOST, UserError, cut, one_line, shown
from common.evaluate.pool import WorkerDied


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("text", ["a\nb\r\n", "\x1b[2J", "\0", "\u202ereversed", "\ud800", "\u2028", "tab\there"], ids=range(7))
def test_messages_are_one_line_of_characters_that_show(text):
    for found in (str(UserError(f"{text} is bad")), one_line(text), cut(text), shown(text)):
        assert found.isprintable() and len(found.splitlines()) == 1
        found.encode()


def test_what_shows_stays_as_it_is():
    text = "Zellgröße 3\xa0px, \u4e2d\u6587; C:\\temp\\new"
    assert one_line(text) == str(UserError(text)) == text
    assert one_line(one_line("a\nb")) == "a\\nb"


def test_long_messages_keep_their_beginning_and_their_remedy():
    found = str(UserError(f"file.json: {'x' * 50_000}; restore the file"))
    assert len(found) < MOST + 10 and found.startswith("file.json: xxx") and found.endswith("; restore the file")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "'a'"),
        (3, "3"),
        ([1, 2.5, "x"], "[1, 2.5, 'x']"),
        ({"a": None}, "{'a': None}"),
        (10**5_000, "a value of type int"),
        (b"\xff", "b'\\xff'"),
    ],
    ids=range(6),
)
def test_values_are_shown_as_python_writes_them(value, text):
    assert shown(value) == text


@pytest.mark.parametrize(
    "value", ["x" * 5_000, list(range(10**5)), nested(5_000), {"k" * 900: "v" * 900}, 10**300, b"\0" * 5_000]
)
def test_values_are_cut(value):
    assert len(shown(value)) <= LONGEST


def test_errors_can_be_pickled():
    for error in (UserError("a\nb"), WorkerDied("job 1")):
        assert str(pickle.loads(pickle.dumps(error)) if type(error) is UserError else error)
