from pathlib import Path

import pytest

from common.data.problems import Problems
from common.errors import UserError


def told(problems, skip):
    with pytest.raises(UserError) as caught:
        problems.report(Path("data"), skip=skip)
    return str(caught.value)


def test_nothing_wrong_is_no_error():
    Problems().report(Path("data"), skip=False)


def test_skippable_problems_can_be_left_out_and_fatal_ones_cannot():
    problems = Problems(skippable=["a.png: empty file"])
    message = told(problems, skip=False)
    assert message == "data: a.png: empty file; correct the files named, or pass --skip-bad to leave these out"
    problems.report(Path("data"), skip=True)
    problems.fatal.append("b.png has the value 7")
    for skip in (False, True):
        assert told(problems, skip) == "data: b.png has the value 7; correct the files named"


def test_the_first_four_are_told_and_the_others_counted():
    assert told(Problems(fatal=["a", "b", "c", "d"]), False).startswith("data: 4 problems: a; b; c; d; correct")
    assert "6 problems: a; b; c; d; ... and 2 more; correct" in told(Problems(fatal=list("abcdef")), False)
