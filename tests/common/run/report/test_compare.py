"""Runs side by side, as text."""

import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from common.errors import UserError
from common.run.report import compare
from common.run.report.load import read_run
from tests.common.run.report.make_run import CONFIG, make_run, write_rows


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run that has written its `config.json` and nothing else."""
    return begun(tmp_path / "one")


def begun(path: Path, **config: Any) -> Path:
    path.mkdir()
    (path / "config.json").write_text(json.dumps({**CONFIG, **config}))
    return path


def scored(*values: float | None, name: str = "AP50", macs: float = 5e6) -> list[dict[str, object]]:
    """A trial for each value; None failed."""
    return [
        {"id": i, "status": "failed" if value is None else "ok", "scores": {name: value}, "cost": {"macs": macs}}
        for i, value in enumerate(values)
    ]


def net(kind: str, name: str, score: float, split: str = "test", macs: float = 2.5e6) -> dict[str, object]:
    return {"kind": kind, "name": name, "arch": {"a": name}, split: {"AP50": score}, "cost": {"macs": macs}}


def rows(*folders: Path) -> list[dict[str, str]]:
    """The lines of the table, by the names of the columns; no cell is empty or has two spaces in it."""
    head, _, *lines = (re.split(r"\s{2,}", line.strip()) for line in compare(folders).splitlines() if line)
    return [dict(zip(head, line, strict=True)) for line in lines]


def test_a_run_that_has_just_begun_is_a_line_of_dashes(folder):
    (row,) = rows(folder)
    assert row == {
        "run": "one",
        "system": "detnas",
        "recipe": "smoke",
        "seed": "0",
        "metric": "AP50",
        "trials": "0",
        **dict.fromkeys(("search", "random search", "retrained on", "searched", "random", "baseline", "cost", "time"), "–"),
    }


def test_the_best_trial_inside_the_limits_and_the_means_of_what_was_retrained(folder):
    write_rows(folder / "trials.jsonl", [*scored(0.25, None, 0.5, 0.125), *scored(0.75, macs=7e6)])  # the last is too dear
    write_rows(folder / "random.jsonl", scored(0.375, 0.25))
    searched = [net("searched", "s", score) for score in (0.5, 0.75)]
    baselines = [net("baseline", "small", 0.25), net("baseline", "large", 0.125)]
    chance = [net("random", name, 0.5, macs=9e6) for name in ("r1", "r2")]
    write_rows(folder / "retrained.jsonl", [*searched, *baselines, *chance])
    write_rows(folder / "stages.jsonl", [{"stage": "a", "seconds": 100}, {"stage": "b", "seconds": 34.2}])
    (row,) = rows(folder)
    assert (row["trials"], row["search"], row["random search"]) == ("5", "0.5", "0.375")
    assert (row["searched"], row["random"]) == ("0.62 ± 0.18 (2)", "0.5 ± 0 (2)")
    assert row["baseline"] == "small: 0.25 (1); large: 0.125 (1)", "each by its name where there are several"
    assert (row["retrained on"], row["cost"], row["time"]) == ("test", "2.5 M MACs", "2 min 14 s")
    unpriced = {**net("searched", "s", 0.5, "val"), "cost": {}}
    write_rows(folder / "retrained.jsonl", [unpriced, net("baseline", "small", 0.25, "val")])
    (row,) = rows(folder)
    assert (row["retrained on"], row["searched"], row["baseline"]) == ("val", "0.5 (1)", "0.25 (1)")
    assert row["cost"] == "–", "the cost is that of the searched network, never that of another"


def test_runs_of_unlike_objectives_are_lines_of_one_table(folder, tmp_path):
    write_rows(folder / "trials.jsonl", scored(0.25, 0.5))
    other = begun(tmp_path / "two", objectives=[{"name": "error", "direction": "min"}], constraints=[], seed=7, system="other")
    write_rows(other / "trials.jsonl", scored(0.25, 0.5, name="error"))
    none = begun(tmp_path / "three", objectives=[], constraints=[])
    first, second, third = rows(folder, other, none)
    assert [first[name] for name in ("run", "metric", "search")] == ["one", "AP50", "0.5"]
    assert [second[name] for name in ("run", "system", "seed", "metric", "search")] == ["two", "other", "7", "error", "0.25"]
    assert [third[name] for name in ("run", "metric", "trials")] == ["three", "–", "0"] and third.keys() == first.keys()


def test_the_table_is_plain_text_as_wide_as_it_needs(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    long = begun(tmp_path / ("run-" * 30))
    table = compare([folder, long])
    assert long.name in table and "\x1b" not in table and table.endswith("\n")
    lines = table.splitlines()
    assert len([line for line in lines if line]) == 4 and all(line == line.rstrip() for line in lines)


def test_what_is_no_run_is_an_error(folder, tmp_path):
    with pytest.raises(UserError, match="no run folder given; name at least one"):
        compare([])
    with pytest.raises(UserError, match=r"nothing.*config\.json"):
        compare([folder, tmp_path / "nothing"])


def test_a_name_is_printed_as_it_is_and_the_table_begins_with_its_head(tmp_path):
    lines = compare([make_run(tmp_path / "b[x]")]).splitlines()
    assert lines[0].startswith(" run ") and lines[2].split()[0] == "b[x]"


def test_a_note_has_300_characters_at_most(folder, monkeypatch):
    module = sys.modules["common.run.report.compare"]
    monkeypatch.setattr(module, "read_run", lambda path: replace(read_run(path), damage=("x" * 400,)))
    (note,) = [line for line in compare([folder]).splitlines() if line.startswith("note: ")]
    assert len(note.removeprefix(f"note: {folder}: ")) == 300
