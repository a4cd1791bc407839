"""What CONTRIBUTING.md shows is what the tests run: the two files of the toy system, and hill climbing as an engine."""

import importlib
import sys
from types import ModuleType

import pytest

from common.engines import Problem
from common.listing import ROOT
from common.objective import Objective
from common.search.base import Scores
from common.search.driver import search
from common.space import Arch, OneOf, decode
from tests.test_readme import CONTRIBUTING, block_with, blocks

TOY, SHOWN = "tests.toy", "classification.mynet"
"""Import path of the toy system, and the one that CONTRIBUTING.md writes in its place."""


@pytest.mark.parametrize("name", ["model", "system"])
def test_the_system_that_is_shown_is_the_toy_system(name):
    source = (ROOT / "tests" / "toy" / f"{name}.py").read_text(encoding="utf-8").replace(TOY, SHOWN)
    assert source in blocks("python", CONTRIBUTING), f"copy tests/toy/{name}.py into CONTRIBUTING.md, {TOY} written as {SHOWN}"


def test_nothing_but_the_shown_files_makes_the_system():
    files = {path.name for path in (ROOT / "tests" / "toy").glob("*") if path.is_file()}
    assert files == {"__init__.py", "model.py", "system.py"}
    assert (ROOT / "tests" / "toy" / "__init__.py").read_text(encoding="utf-8") == ""
    for name in ("model", "system"):
        assert f"`classification/mynet/{name}.py`" in CONTRIBUTING


def test_the_engine_that_is_shown_makes_the_searcher_that_is_shown(tmp_path, monkeypatch):
    (tmp_path / "climb_of_contributing.py").write_text(block_with("class Climb", CONTRIBUTING), encoding="utf-8")
    (tmp_path / "hill_climbing_of_contributing.py").write_text(block_with("class HillClimbing", CONTRIBUTING), encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    algorithm: ModuleType = importlib.import_module("hill_climbing_of_contributing")
    monkeypatch.setitem(sys.modules, "common.search.hill_climbing", algorithm)
    engine = importlib.import_module("climb_of_contributing").Climb(start=4)
    space = tuple(OneOf(0, 1, 2, 3) for _ in range(3))

    def even(arch: Arch) -> bool:
        return sum(decode(space, arch)) % 2 == 0

    problem = Problem(
        space=space,
        objectives=[Objective("total")],
        baseline=Arch({str(i): 0 for i in range(3)}),
        seed=3,
        feasible=even,
        rule="an even sum",
    )
    assert engine.refusal(problem) == ""
    searcher = engine.searcher(problem)
    assert type(searcher) is algorithm.HillClimbing and searcher.start == 4 and searcher.seed == 3

    def total(archs, fidelity):
        return [Scores(values={"total": sum(decode(space, arch))}) for arch in archs]

    trials = search(searcher, total, budget=12)
    assert len(trials) == 12 and all(even(trial.arch) for trial in trials)
    assert [trial.origin for trial in trials[:4]] == ["random"] * 4
    assert "mutation" in {trial.origin for trial in trials}
