"""What the documents promise: examples run as they stand, commands, make targets, files and links exist."""

import importlib
import re
import runpy
from pathlib import Path

import pytest
from torch import nn

from common.objective import Objective
from common.search.base import Scores
from common.search.driver import search
from common.space import OneOf, decode

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
TO_BE_WRITTEN = r"mynet|mytask|hill_climbing|climb\.py"
"""Files that CONTRIBUTING.md tells a reader to write."""


def blocks(kind: str, text: str = README) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def block_with(words: str, text: str) -> str:
    """The one block of Python in `text` that contains `words`."""
    (found,) = [block for block in blocks("python", text) if words in block]
    return found


OWN = (ROOT / "docs" / "own-network.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_example_runs_to_its_report_and_finds_a_network(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (code,) = blocks("python")
    path = tmp_path / "example.py"
    path.write_text(code, encoding="utf-8")
    result = runpy.run_path(str(path))
    run, network = result["run"], result["network"]
    assert run.finished and len(run.trials()) == len(run.trials("random")) == 30
    # ten classes: chance is 0.1
    assert run.best().test["accuracy"] > 0.6
    assert f"runs/digits/report.html {run.best().arch}" in capsys.readouterr().out
    assert {type(part).__module__.split(".")[0] for part in network.modules()} == {"torch"}


def test_the_example_step_by_step_runs_and_finds_a_network(tmp_path, capsys):
    (code,) = blocks("python", OWN)
    path = tmp_path / "example.py"
    path.write_text(code, encoding="utf-8")
    result = runpy.run_path(str(path))
    assert len(result["trials"]) == 30
    assert len({trial.arch for trial in result["trials"]}) == 30
    assert result["best"].scores["accuracy"] > 0.6
    assert str(result["best"].scores["accuracy"]) in capsys.readouterr().out
    network = result["network"]
    assert isinstance(network, nn.Module)
    assert {type(part).__module__.split(".")[0] for part in network.modules()} == {"torch"}


def test_the_searcher_of_contributing_works_and_replays(tmp_path, monkeypatch):
    code = block_with("class HillClimbing", CONTRIBUTING)
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


def test_the_example_is_short_and_a_run_folder_costs_few_lines():
    (code,), (bare,) = blocks("python"), blocks("python", OWN)
    lines = [line for line in code.splitlines() if line.strip() and not line.startswith(("import ", "from "))]
    assert len(lines) <= 40
    assert len(code.splitlines()) <= len(bare.splitlines()) + 15


def test_the_first_commands_are_make_demo_and_make_test():
    assert blocks("")[0].split("\n") == ["make demo", "make test", ""]


def targets() -> set[str]:
    """Every target of the Makefile and of the files that it includes."""
    texts = [(ROOT / "Makefile").read_text(encoding="utf-8")]
    for included in re.findall(r"^-?include (.+)$", texts[0], re.MULTILINE):
        texts += [(ROOT / name).read_text(encoding="utf-8") for name in included.split()]
    rules = [names for text in texts for names in re.findall(r"^([a-z][\w -]*):(?!=)", text, re.MULTILINE)]
    return {name for names in rules for name in names.split()}


def test_make_targets_exist():
    texts = [path.read_text(encoding="utf-8") for path in DOCUMENTS]
    named = {name for text in texts for name in re.findall(r"(?:^|`)make (?:PYTHON=\S+ )?([a-z][a-z0-9-]+)", text, re.MULTILINE)}
    assert {"demo", "test", "check", "detnas", "darts-smoke", "evolution"} <= named
    assert sorted(named - targets()) == []


def test_links_to_files_lead_somewhere():
    links = {(path, link) for path in DOCUMENTS for link in re.findall(r"\]\(([^)#]+)", path.read_text(encoding="utf-8"))}
    assert len({path for path, _ in links}) >= 4
    broken = [
        f"{path.name}: {link}" for path, link in links if not (link.startswith("https://") or (path.parent / link).exists())
    ]
    assert sorted(broken) == []


def test_links_to_sections_lead_somewhere():
    broken = []
    for path in DOCUMENTS:
        for link, section in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", path.read_text(encoding="utf-8")):
            text = (path.parent / link if link else path).read_text(encoding="utf-8")
            titles = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
            if section not in {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}:
                broken.append(f"{path.name}: {link}#{section}")
    assert broken == []


def test_files_named_in_the_guides_exist():
    guides = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "docs" / "architecture.md"]
    named = {
        name
        for path in guides
        for name in re.findall(
            r"`((?:common|classification|detection|segmentation|gan|graphs|docs|tests)/[\w./-]*)`", path.read_text()
        )
        if not re.search(TO_BE_WRITTEN, name)
    }
    assert len(named) > 10
    assert sorted(name for name in named if not (ROOT / name).exists()) == []


def test_every_step_of_a_run_names_a_file_to_see_it_in():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    steps = re.findall(r"^### \d\. .+?(?=^##)", text, re.MULTILINE | re.DOTALL)
    assert [step[4] for step in steps] == list("12345")
    assert [len(re.findall(r"^See it happen: \[common/\S+\.py\]\(\S+\)\.$", step, re.MULTILINE)) for step in steps] == [1] * 5
    laws = text[text.index("## Laws") : text.index("## A task package")]
    assert re.findall(r"^(\d)\. \*\*", laws, re.MULTILINE) == list("123456789")


PAGE = (ROOT / "docs" / "results" / "search.md").read_text(encoding="utf-8")


def scores_of(engine: str) -> dict[str, tuple[float, float]]:
    """Table of docs/results/search.md -> mean and standard error of an engine after 150 queries."""
    found: dict[str, tuple[float, float]] = {}
    for section in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]:
        row = re.search(rf"^\| {engine} \|(?: [^|]+ \|){{2}} ([\d.]+) ± ([\d.]+) ", section, re.MULTILINE)
        if row:
            found[section.splitlines()[0]] = float(row[1]), float(row[2])
    return found


def test_claims_about_engines_are_rows_of_the_results_page():
    """README said of an engine what the page did not."""
    claims = re.findall(r"^\| (NAS-Bench[^|]*) \| ([^|]*) \| ([^|]*) \|$", README, re.MULTILINE)
    assert len(claims) == 3
    for table, engine, ahead in claims:
        assert re.search(rf"^\| {re.escape(table)} \| {engine} \| {re.escape(ahead)} \|", PAGE, re.MULTILINE), table
    assert "after 300" not in README and "hard to beat" not in README


def test_the_claim_about_local_search_is_what_the_page_says():
    local, aging = scores_of("local search"), scores_of("aging evolution")
    gaps = {
        table: (local[table][0] - aging[table][0]) / (local[table][1] ** 2 + aging[table][1] ** 2) ** 0.5
        for table in local
        if table != "Generated cells"
    }
    ahead = [table for table, gap in gaps.items() if table.startswith("NAS-Bench-201") and gap > 2]
    others = [gap for table, gap in gaps.items() if table not in ahead]
    close = sum(abs(gap) < 2 for gap in others)
    words = " ".join(README.split())
    assert f"ahead of aging evolution by more than two standard errors on these {len(ahead)} tables; on {close} of" in words
    assert f"of the {len(others)} other tables of the page the two differ by less than that" in words


def test_no_page_says_that_every_run_has_a_random_search():
    """Since `search.random_baseline` may be false."""
    texts = {path.name: " ".join(path.read_text(encoding="utf-8").split()) for path in DOCUMENTS if path.name != "CHANGELOG.md"}
    claim = re.compile(r"(?i)every run (?:also )?(?:compares itself|searches as long|is compared) [^.]*random search")
    assert [name for name, text in texts.items() if claim.search(text)] == []
    assert (
        "random search with as many, or at the cost of a differentiable search, where `search.random_baseline` is true"
        in " ".join(README.split())
    )
