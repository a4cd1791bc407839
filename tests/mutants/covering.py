"""Which tests reach which line of the core, measured once with coverage.py, and how long each takes."""

from __future__ import annotations

import ast
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate
from pathlib import Path

from coverage import CoverageData

ROOT = Path(__file__).resolve().parents[2]
GROUPS = (
    ["tests/common/search", "tests/common/relax", "tests/common/cost", "tests/common/space", "tests/common/tables"],
    ["tests/common/supernet", "tests/common/evaluate", "tests/common/run", "tests/common/stages", "tests/common/train"],
    ["tests/contracts/test_laws.py", "-k", "toy or tiny"],
)
"""Arguments of pytest for the tests that are asked, in processes of their own."""
MOST_SECONDS = 60.0
"""Of the tests that are asked about one mutant, as measured without it."""
CONFIG = """[run]
dynamic_context = test_function
source = common
"""


@dataclass(slots=True)
class Covering:
    """What the tests reach.

    Attributes:
        tests: (file, line) -> tests that run the line; a test is `path::function`.
        seconds: a test's time, all its parameters together.
    """

    tests: dict[tuple[str, int], set[str]] = field(default_factory=lambda: defaultdict(set))
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    def order(self, file: str, lines: range) -> list[str]:
        """The tests that are asked about these lines: the file's own, all of them, then others that run the lines.

        Of the others as many are asked as take `MOST_SECONDS`, those of files first whose tests take least time. Lines that run
        when the file is imported, or only in a fixture or in another process, belong to no test: then the others are all tests
        that reach the file, and all that stand beside its own, which may look at what it defines.
        """
        own = own_test(file)
        found = set[str]()
        if set(lines) <= bodies(file):
            found = found.union(*(self.tests.get((file, line), set()) for line in lines))
        if not found:
            found = {test for test in self.seconds if Path(_path(test)).parent == Path(own).parent}
            found = found.union(*(tests for (other, _), tests in self.tests.items() if other == file))
        spent: dict[str, float] = defaultdict(float)
        for test in found:
            spent[_path(test)] += self.seconds[test]
        others = sorted(
            (test for test in found if _path(test) != own),
            key=lambda test: (spent[_path(test)], _path(test), self.seconds[test], test),
        )
        until = accumulate(self.seconds[test] for test in others)
        asked = [test for test, seconds in zip(others, until, strict=True) if seconds < MOST_SECONDS]
        return sorted((test for test in self.seconds if _path(test) == own), key=self.seconds.__getitem__) + asked

    def drop(self, failing: Set[str]) -> None:
        """Asks these tests no more."""
        for test in failing:
            del self.seconds[test]
        for line, tests in self.tests.items():
            self.tests[line] = tests - failing


@cache
def bodies(file: str) -> frozenset[int]:
    """Lines of a file that are in the body of a function."""
    tree = ast.parse((ROOT / file).read_text())
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return frozenset(line for f in functions for line in range(f.body[0].lineno, (f.end_lineno or f.lineno) + 1))


def own_test(file: str) -> str:
    """The path of a file's own tests: `common/run/files.py` -> `tests/common/run/test_files.py`."""
    path = Path(file)
    return str(Path("tests") / path.parent / f"test_{path.stem}.py")


def measured(copy: Path) -> Covering:
    """Runs the tests in a copy of the checkout. A test that fails there, by its time limit for instance, is not asked later.

    Raises:
        SystemExit: pytest did not run.
    """
    (copy / "cover.ini").write_text(CONFIG)
    running = [_started(copy, i, words) for i, words in enumerate(GROUPS)]
    try:
        for i, process in enumerate(running):
            if process.wait() > 1:
                sys.exit((copy / f"said{i}.txt").read_text())
    finally:
        for process in running:
            process.kill()
            process.wait()
    covering = Covering()
    for i in range(len(GROUPS)):
        functions = times(copy / f"times{i}.xml", copy)
        for test, (_, seconds) in functions.items():
            covering.seconds[test] += seconds
        _read(copy, i, {name: test for test, (name, _) in functions.items()}, covering)
    return covering


def _started(copy: Path, i: int, words: Sequence[str]) -> subprocess.Popen[bytes]:
    cover = ["-m", "coverage", "run", "--rcfile=cover.ini", f"--data-file=cover{i}.data"]
    command = [sys.executable, *cover, "-m", "pytest", "-q", f"--junitxml=times{i}.xml", "-p", "no:cacheprovider", *words]
    with (copy / f"said{i}.txt").open("w") as said:
        return subprocess.Popen(command, cwd=copy, stdout=said, stderr=said)


def times(file: Path, copy: Path) -> dict[str, tuple[str, float]]:
    """Tests that passed -> their dotted names and seconds, from pytest's report in JUnit's format; the others are printed."""
    functions: dict[str, tuple[str, float]] = {}
    failed = set[str]()
    for case in ElementTree.parse(file).iter("testcase"):
        module, name = case.attrib["classname"], case.attrib["name"].partition("[")[0]
        path = Path(*module.split(".")).with_suffix(".py")
        if not (copy / path).is_file():
            continue
        test = f"{path}::{name}"
        if case.find("failure") is not None or case.find("error") is not None:
            print(f"fails without a mutant: {test}", flush=True)
            failed.add(test)
        functions[test] = (f"{module}.{name}", functions.get(test, ("", 0.0))[1] + float(case.attrib["time"]))
    return {test: of for test, of in functions.items() if test not in failed}


def _read(copy: Path, i: int, tests: Mapping[str, str], covering: Covering) -> None:
    data = CoverageData(str(copy / f"cover{i}.data"))
    data.read()
    for file in data.measured_files():
        known = str(Path(file).relative_to(copy))
        for line, contexts in data.contexts_by_lineno(file).items():
            found = {tests[context] for context in contexts if context in tests}
            if found:
                covering.tests[known, line] |= found


def _path(test: str) -> str:
    return test.partition("::")[0]
