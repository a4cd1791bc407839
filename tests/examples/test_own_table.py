"""The example of a table of architectures and scores of one's own."""

import csv

import pytest
import torch

from common import Run
from common.tables.own import read_table
from tests.examples.running import example, run_example


@pytest.fixture(scope="module")
def known():
    return example("own_table")


@pytest.fixture(scope="module")
def table(known, tmp_path_factory):
    return known["write_table"](tmp_path_factory.mktemp("table") / "runs" / "mine.csv", steps=2)


def test_the_table_has_a_row_for_every_architecture(known, table):
    own = read_table(table, "accuracy", costs=["params"])
    assert own.rows == own.combinations == 4 * 4 * 3 * 2
    with table.open() as file:
        row = next(row for row in csv.DictReader(file) if row["arch.layers"] == "2" and row["arch.width"] == "8")
    torch.manual_seed(0)
    net = known["Net"](layers=2, width=8, activation=row["arch.activation"], norm=row["arch.norm"] == "True")
    network = known["build"](net)
    assert sum(p.numel() for p in network.parameters()) == int(row["cost.params"])
    assert known["train_and_score"](network, steps=2) == float(row["accuracy"])


def test_engines_are_compared_on_a_users_table_and_nothing_is_written(known, table, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run_example("own_table", "--table", str(table), "--seeds", "2")
    said = capsys.readouterr().out
    assert "mine.csv: 96 architectures of 96 combinations" in said and "After 15 queries" in said and "After 30 queries" in said
    assert all(f"| {engine} " in said for engine in ("random", *known["ENGINES"])) and not list(tmp_path.iterdir())


def test_a_search_looks_scores_up_and_says_how_soon_it_found_the_best(known, tmp_path, monkeypatch, capsys, unexported):
    monkeypatch.chdir(tmp_path)
    run_example("own_table", "--seeds", "1", "--steps", "3", "--set", "search.trials=12", "retrain.seeds=1")
    run = Run(next(path for path in (tmp_path / "runs").iterdir() if path.is_dir()), known["build"], known["Net"]())
    with (tmp_path / "runs" / "table.csv").open() as file:
        rows = list(csv.DictReader(file))
    scores = {tuple(value for name, value in row.items() if name.startswith("arch.")): float(row["accuracy"]) for row in rows}
    assert len(scores) == 96 and len(run.trials()) == len(run.trials("random")) == 12
    for trial in (*run.trials(), *run.trials("random")):
        assert trial.scores == {"accuracy": scores[tuple(trial.arch.values())]}
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("after ")]
    assert lines[0].startswith("after  1 rows") and len(lines) < 12
    assert f"{max(trial.scores['accuracy'] for trial in run.trials()):.4f}" in lines[-1]
    assert run.finished and (run.path / "report.html").is_file() and len(run.retrained()) == 4
