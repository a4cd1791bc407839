"""The comparison of trainings with NAS-Bench-Graph's table: which networks are taken, and the page."""

from types import SimpleNamespace

import numpy as np
import pytest

from common.errors import UserError
from common.tables.nasbench_graph import Network
from tests.bench import nasbench_graph
from tests.bench.nasbench_graph_page import Facts, Trained, page, verdict

FACTS = Facts(
    command="python -m tests.bench.nasbench_graph",
    date="2026-11-24",
    environment={
        "machine": {"cpu": "Example", "cores": 2, "memory_gib": 8, "system": "Linux"},
        "versions": {"python": "3.11", "torch": "2.14", "torch-geometric": "2.8"},
    },
    commit="abc",
    rows=26206,
    epochs=100,
    every=5,
    seed=0,
)


def result(published: float, ours: float, **changes) -> Trained:
    values = {
        "network": Network("0123", ("gcn", "fc", "skip", "gin")),
        "published_valid": published - 1,
        "published_test": published,
        "published_params": 1000,
        "valid": ours + 1,
        "test": ours,
        "chosen": ours,
        "epoch": 50,
        "epochs": 100,
        "seconds": 30.0,
        "cpu": 15.0,
        "params": 1000,
    }
    return Trained(**{**values, **changes})


def test_rows_are_the_middles_of_equal_parts_of_the_ranking():
    scores = np.random.default_rng(0).permutation(100).astype(float)
    table = SimpleNamespace(scores={"full": {"test": scores}}, fidelity="full")
    assert scores[nasbench_graph.spread(table, 5)].tolist() == [10, 30, 50, 70, 90]
    assert sorted(nasbench_graph.spread(table, 100)) == list(range(100))
    with pytest.raises(UserError, match="--architectures 101"):
        nasbench_graph.spread(table, 101)


def test_the_page_says_what_is_equal_and_what_is_not():
    results = [result(50.0 + i, 50.0 + i + (-1) ** i, params=1000 + (i == 3)) for i in range(20)]
    text = page(FACTS, results)
    assert "| test, ours with the table's | 0.895 (" in text
    assert "Mean absolute difference from the table: 1.00 points of test accuracy (median 1.00)" in text
    assert "Parameters equal the table's for 19 of 20 networks." in text
    assert "25 % of the published 400" in text
    assert "400 epochs would take 20 minutes of it" in text
    assert "mean by link pattern: 0123 +0.0 (20)." in text
    assert "Wall-clock: 10.0 minutes" in text and "Processor time: 5.0 minutes, 150 ms an epoch" in text
    assert max(map(len, (line for line in text.splitlines() if line.startswith("| 0123")))) < 130


def test_what_has_no_order_has_no_tau():
    assert any("undefined" in line for line in verdict([result(50.0 + i, 50.0) for i in range(20)]))


def test_wrong_numbers_are_refused(capsys):
    with pytest.raises(SystemExit):
        nasbench_graph.parsed(["--epochs", "0"])
    assert "at least 1" in capsys.readouterr().err
