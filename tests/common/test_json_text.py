"""JSON with limits: what is beyond them is refused in words, and what is in use is not."""

import json

import pytest

from common.json_text import DEEPEST, MOST_DIGITS, NotJson, parse, parse_foreign, read_foreign


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "line 1, column 1: Expecting value"),
        ('{"a": 1,\n "b": }', "line 2, column 7: Expecting value"),
        ("[1] 2", "Extra data"),
        (b"\xff\xfe\x00", "byte"),
        (b'"\xed\xa0\x80"', "byte 1 is no utf-8 text"),
        ("1" * (MOST_DIGITS + 1), r"a number of 301 digits \(111111111\.\.\.\), 300 are the most"),
        ("-" + "1" * 5_000, "a number of 5,001 digits"),
        ("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1), "nested more than 100 deep"),
        ('{"a":' * 150 + "1" + "}" * 150, "nested more than 100 deep"),
        ("[" * 100_000, "nested more than 100 deep"),
    ],
    ids=range(10),
)
def test_what_is_refused(text, reason):
    for read in (parse, parse_foreign):
        with pytest.raises(NotJson, match=reason):
            read(text)


@pytest.mark.parametrize(
    "value",
    [
        10**MOST_DIGITS // 10,
        {"a": [1, 2.5, None, True, "\u4e2d"]},
        ["[[[[" * 100, '"{"', "\\", '\\"[['],
        [[]] * 500,
        [[["x[{", {"y": []}]]] * 60,
    ],
    ids=range(5),
)
def test_what_is_read(value):
    text = json.dumps(value)
    for given in (text, text.encode(), b"\xef\xbb\xbf" + text.encode(), text.encode("utf-16")):
        assert parse(given) == parse_foreign(given) == value
    depth = json.loads("[" * DEEPEST + "]" * DEEPEST)
    assert parse("[" * DEEPEST + "]" * DEEPEST) == depth


def test_half_of_a_character_is_ours_to_read_back_and_nobody_elses(tmp_path):
    text = json.dumps({"command": "a\udc80"})  # a file name that is no UTF-8
    assert parse(text) == {"command": "a\udc80"}
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(NotJson, match=r"half of a character, \\udc80"):
        read_foreign(tmp_path / "a.json")
    assert parse_foreign('"\\ud83d\\ude00"') == "\U0001f600"
