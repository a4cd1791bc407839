"""DARTS's cells searched by another engine, with another evaluation, than its own."""

import json

import pytest

from classification.task import ClassificationTask
from tests.classification.micro import SETTINGS, call, results, words
from tests.common.run.rows import rows

pytestmark = pytest.mark.timeout(300)

OTHER = [
    *(word for word in SETTINGS if not word.startswith("search.")),
    *("search.engine=aging", "search.engine.population=3", "search.engine.tournament=2", "search.trials=5"),
    *("search.evaluation=inherited", "search.evaluation.calibration_batches=2", "search.evaluation.calibration_batch=8"),
    *("search.evaluation.images=40", "search.random_baseline=true"),
]


def test_evolution_on_inherited_weights(tmp_path, monkeypatch):
    monkeypatch.setattr(ClassificationTask, "export", lambda self, network, folder: 0.0)
    path = tmp_path / "run"
    call(words(path, settings=OTHER))
    found = results(path)
    stages = {row["stage"]: row["result"] for row in found["stages"]}
    assert list(stages) == ["supernet weights", "search", "random search", "drawing", "retrain", "export"]
    assert (stages["supernet weights"]["steps"], stages["search"]["follows"]) == (6, ["accuracy"])
    trials = rows(path, "trials")
    assert [row["origin"] for row in trials] == ["random"] * 3 + ["mutation"] * 2 and len(rows(path, "random")) == 5
    best = max(trials, key=lambda row: row["scores"]["accuracy"])["scores"]["accuracy"]
    assert stages["search"]["scores"]["accuracy"] == best
    winner, random, baseline = found["retrained"]
    assert (winner["name"], random["name"], baseline["name"]) == ("searched", "random 1", "baseline")
    assert winner["arch"] == stages["search"]["arch"] and winner["inherited"]["accuracy"] == best
    assert len({row["inherited"]["loss"] for row in found["retrained"]}) == 3
    notes = " ".join(json.loads((path / "config.json").read_text())["notes"])
    assert "skip_share" not in notes and "validation split" in notes
    report = (path / "report.html").read_text()
    assert "DARTS" in report and "normal cell" in report
    call(words(path, "--resume", settings=OTHER))
    assert results(path) == found


ENAS = [
    *(word for word in SETTINGS if not word.startswith("search.")),
    *("search.engine=controller", "search.engine.arch.every=2", "search.engine.burst=3", "search.engine.reward=accuracy"),
    *("search.trials=4", "search.evaluation=inherited", "search.evaluation.calibration_batches=2"),
    *("search.evaluation.calibration_batch=8", "search.evaluation.images=40", "search.random_baseline=true"),
]


def test_a_policy_that_learns_with_the_weights(tmp_path, monkeypatch):
    """ENAS on the cells of DARTS: another system than HNAS under the engine `controller`."""
    monkeypatch.setattr(ClassificationTask, "export", lambda self, network, folder: 0.0)
    path = tmp_path / "run"
    call(words(path, settings=ENAS))
    found = results(path)
    stages = {row["stage"]: row["result"] for row in found["stages"]}
    assert list(stages) == ["supernet and policy", "search", "random search", "drawing", "retrain", "export"]
    trials = rows(path, "trials")
    assert len({json.dumps(row["arch"]) for row in trials}) == len(trials) == 4
    assert {row["origin"] for row in trials} == {"policy"} and len(rows(path, "random")) == 4
    turns = [row for row in found["metrics"] if row["stage"] == "supernet and policy" and "reward" in row["values"]]
    assert [row["step"] for row in turns] == [1, 3, 5]
    assert stages["search"]["scores"]["accuracy"] == max(row["scores"]["accuracy"] for row in trials)
    call(words(path, "--resume", settings=ENAS))
    assert results(path) == found
