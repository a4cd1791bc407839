"""What README.md promises: its example runs as it stands, its commands and links exist."""

import importlib
import re
import runpy
from pathlib import Path

from torch import nn

from common.objective import Objective
from common.search.base import Scores
from common.search.driver import search
from common.space import OneOf, decode

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def blocks(kind: str, text: str = README) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_the_example_runs_and_finds_a_network(tmp_path, capsys):
    (code,) = blocks("python")
    path = tmp_path / "example.py"
    path.write_text(code, encoding="utf-8")
    result = runpy.run_path(str(path))
    assert len(result["trials"]) == 30
    assert len({trial.arch for trial in result["trials"]}) == 30
    # ten classes: chance is 0.1
    assert result["best"].scores["accuracy"] > 0.6
    assert str(result["best"].scores["accuracy"]) in capsys.readouterr().out
    network = result["network"]
    assert isinstance(network, nn.Module)
    assert {type(part).__module__.split(".")[0] for part in network.modules()} == {"torch"}


def test_the_searcher_of_contributing_works_and_replays(tmp_path, monkeypatch):
    (code,) = blocks("python", CONTRIBUTING)
    (tmp_path / "contributing_example.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    made = importlib.import_module("contributing_example").HillClimbing
    space = tuple(OneOf(0, 1, 2, 3) for _ in range(6))

    def total(archs, fidelity):
        return [Scores(values={"total": sum(decode(space, arch))}) for arch in archs]

    whole = search(made(space, [Objective("total")], seed=1), total, budget=120)
    assert len({trial.arch for trial in whole}) == 120
    assert max(trial.scores["total"] for trial in whole) == 18
    cut = search(made(space, [Objective("total")], seed=1), total, budget=120, history=whole[:47], batch=3)
    assert [trial.arch for trial in cut] == [trial.arch for trial in whole]


def test_the_example_is_short():
    (code,) = blocks("python")
    lines = [line for line in code.splitlines() if line.strip() and not line.startswith(("import ", "from "))]
    assert len(lines) <= 40


def test_the_first_commands_are_make_demo_and_make_test():
    assert blocks("")[0].split("\n") == ["make demo", "make test", ""]


def test_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = {
        target
        for text in (README, CONTRIBUTING)
        for target in re.findall(r"(?:^|`)make (?:PYTHON=\S+ )?([a-z][a-z-]+)", text, re.MULTILINE)
    }
    assert {"demo", "test", "check", "detnas"} <= named
    assert [target for target in sorted(named) if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []


def test_links_to_files_lead_somewhere():
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        for link in re.findall(r"\]\(([^)#]+)", text):
            assert link.startswith("https://") or (ROOT / link).exists(), f"{name}: {link}"
