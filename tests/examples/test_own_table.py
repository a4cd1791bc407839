"""The example of a table of architectures and scores of one's own."""

import csv

import pytest
import torch

from common.tables.own import read_table
from tests.examples.loading import example


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return example("own_table").write_table(tmp_path_factory.mktemp("table") / "runs" / "table.csv", steps=2)


def test_the_table_has_a_row_for_every_architecture(table):
    module, own = example("own_table"), read_table(table, "accuracy", costs=["params"])
    assert own.rows == own.combinations == 4 * 4 * 3 * 2
    with table.open() as file:
        row = next(row for row in csv.DictReader(file) if row["arch.layers"] == "2" and row["arch.width"] == "8")
    torch.manual_seed(0)
    network = module.build(module.Net(layers=2, width=8, activation=row["arch.activation"], norm=row["arch.norm"] == "True"))
    assert sum(p.numel() for p in network.parameters()) == int(row["cost.params"])
    assert module.train_and_score(network, steps=2) == float(row["accuracy"])


def test_a_search_looks_scores_up_and_says_what_it_found_soonest(table, tmp_path, capsys, unexported):
    run = example("own_table").search_table(table, tmp_path / "run", trials=12)
    with table.open() as file:
        scores = {
            tuple(value for name, value in row.items() if name.startswith("arch.")): float(row["accuracy"])
            for row in csv.DictReader(file)
        }
    assert len(run.trials()) == len(run.trials("random")) == 12
    for trial in (*run.trials(), *run.trials("random")):
        assert trial.scores == {"accuracy": scores[tuple(trial.arch.values())]}
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("after ")]
    assert lines[0].startswith("after  1 rows") and len(lines) < 12
    assert max(f"{trial.scores['accuracy']:.4f}" for trial in run.trials()) in lines[-1]
    assert run.finished and (run.path / "report.html").is_file() and len(run.retrained()) == 12
    assert run.best().val["accuracy"] > scores[tuple(run.arch().values())]  # trained for more than two steps


def test_engines_are_compared_on_a_users_table_and_nothing_is_written(table, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    example("own_table").main(None, table, "accuracy", trials=8, seeds=2)
    said = capsys.readouterr().out
    assert "table.csv: 96 architectures of 96 combinations" in said and "After 4 queries" in said and "After 8 queries" in said
    assert all(f"| {engine} " in said for engine in ("random", *example("own_table").ENGINES)) and not list(tmp_path.iterdir())
