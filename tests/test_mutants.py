"""The mutation run: which mistakes it plants, which tests it runs, and its page."""

import ast
from pathlib import Path

import pytest

from tests.mutants.__main__ import PACKAGES, ROOT, sampled
from tests.mutants.changes import Mutant, mutants
from tests.mutants.covering import Covering
from tests.mutants.page import Outcome, page
from tests.mutants.reasons import known_places, place_of, reasons
from tests.mutants.trial import failing

SOURCE = b'''"""Not this 1 < 2."""
import os
def f(a: int = 3, *, b: bool = True) -> int:
    """Nor 4 + 4."""
    if a < b and not b:
        self.x = g(a, key=1)
        print(f"{a + 1}")
    for i in zip(a, b, strict=True):
        continue
    return a + b if a else -a
'''


def test_each_mutant_is_one_change_of_code():
    found = mutants("common/x/y.py", SOURCE)
    changes = {(m.before, m.after) for m in found}
    assert {("a < b", "a <= b"), ("not b", "(b)"), ("3", "4"), ("True", "False"), ("continue", "pass"), ("-a", "(a)")} <= changes
    assert ("a < b and not b", "(a < b or not b)") in changes and ("g(a, key=1)", "g(a)") in changes
    assert ("self.x = g(a, key=1)", "pass") in changes and ("a + b", "(a - b)") in changes
    assert ("return a + b if a else -a", "return None") in changes
    assert not any(m.before == "zip(a, b, strict=True)" or (m.line == 8 and m.before == "True") for m in found)
    for mutant in found:
        planted = mutant.planted(SOURCE)
        assert planted != SOURCE and ast.dump(ast.parse(planted)) != ast.dump(ast.parse(SOURCE))
        assert (b"Not this 1 < 2" in planted and b"Nor 4 + 4" in planted and b"{a + 1}" in planted) or mutant.after == "pass"


def test_a_sample_is_the_same_for_a_seed_and_plants_valid_source():
    for package in PACKAGES:
        one = sampled(package, 5, 0)
        assert one == sampled(package, 5, 0) != sampled(package, 5, 1) and len(one) == 5
        for mutant in one:
            ast.parse(mutant.planted((ROOT / mutant.file).read_bytes()))


def test_the_page_counts_and_names_survivors():
    mutant = Mutant("common/run/files.py", 7, 0, 1, "a | b", "a & b")
    text = page([Outcome(mutant=mutant, fate="survived"), Outcome(mutant=mutant, fate="killed")], {mutant: "why"}, 3)
    assert "| `common/run` | 2 | 1 | 0 | 1 | 50.0% |" in text and "seed 3" in text
    assert "| `common/run/files.py`, line 7 | `a \\| b` | `a & b` | why |" in text
    assert "None." in page([Outcome(mutant=mutant, fate="killed")], {}, 0)


def test_every_reason_is_that_of_a_mutant_that_there_is():
    """A reason goes with its line: the code has changed, and nobody knows whether what was said still holds."""
    changes = {(file, change) for file, _, _, change in known_places()}
    every = [mutant for file in {file for file, _ in changes} for mutant in mutants(file, (ROOT / file).read_bytes())]
    there = {place_of(mutant) for mutant in every if (mutant.file, mutant.change) in changes}
    assert known_places().keys() - there == set()
    (one,) = (mutant for mutant in mutants("common/errors.py", (ROOT / "common/errors.py").read_bytes())[:1])
    assert reasons([one]) == {}


def test_asked_are_the_files_own_tests_and_others_that_run_the_line():
    file = "common/errors.py"
    lines = (ROOT / file).read_text().splitlines()
    inside = 1 + next(i for i, line in enumerate(lines) if "text.isprintable()" in line)
    outside = 1 + next(i for i, line in enumerate(lines) if line.startswith("_short.maxlevel"))
    covering = Covering()
    own, slow, other, far = "tests/common/test_errors.py::a", "tests/common/test_errors.py::s", "tests/x.py::b", "tests/y.py::c"
    covering.tests.update({(file, inside): {other, own}, (file, inside + 1): {far}, (file, outside): {far}})
    covering.seconds.update({slow: 70.0, own: 9.0, other: 1.0, far: 0.5})
    assert covering.order(file, range(inside, inside + 1)) == [own, slow, other], "all of its own, however long they take"
    assert covering.order(file, range(outside, outside + 1)) == [own, slow, far, other], "imported by one test, used by all"
    covering.seconds[beside := "tests/common/test_other.py::d"] = 0.1
    assert covering.order(file, range(outside, outside + 1)) == [own, slow, beside, far, other], "looked at by one beside them"
    covering.seconds[other] = 100.0
    assert covering.order(file, range(inside, inside + 1)) == [own, slow], "a minute of others"
    covering.drop({slow, far})
    assert covering.order(file, range(inside, inside + 1)) == [own]


def test_tests_that_hang_without_a_mutant_are_said_in_one_line(tmp_path: Path):
    (tmp_path / "test_hangs.py").write_text("import time\n\n\ndef test_hangs():\n    time.sleep(60)\n")
    with pytest.raises(TimeoutError, match=r"^1 tests, test_hangs.py first, did not end within 1 s without a mutant$"):
        failing(tmp_path, ["test_hangs.py"], limit=1)
