"""DetNAS's backbones searched by another engine, with another evaluation, than its own, for a reward."""

import pytest

from common.objective import Objective, fronts
from tests.detection.micro import SETTINGS, call, results, words

pytest.importorskip("mmdet")
from detection import facts
from tests.detection.test_train import no_export

pytestmark = pytest.mark.timeout(300)

REWARD = "(1 + AP50) * (3e6 / macs) ** 0.07"
OTHER = [
    *(word for word in SETTINGS if not word.startswith("search.")),
    *("search.engine=nsga2", "search.engine.population=2", "search.trials=4", "search.random_baseline=false"),
    *("search.evaluation=scratch", f"search.reward={REWARD}"),
]


def test_nsga2_follows_a_reward_and_macs_on_networks_trained_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(facts, "export", no_export)
    path = tmp_path / "run"
    call(words(path, settings=OTHER))
    found = results(path)
    stages = {row["stage"]: row["result"] for row in found["stages"]}
    assert list(stages) == ["search", "retrain", "export"]  # no supernet is trained
    search = stages["search"]
    assert search["follows"] == ["reward", "macs"]
    trials = found["trials"]
    assert [row["status"] for row in trials] == ["ok"] * 4
    for row in trials:
        cost, scores = row["cost"], row["scores"]
        assert scores["reward"] == pytest.approx((1 + scores["AP50"]) * (3e6 / cost["macs"]) ** 0.07)
        assert cost["macs_backbone"] <= 12.5e6
    points = [[row["scores"]["reward"], row["cost"]["macs"]] for row in trials]
    first = fronts(points, [Objective("reward"), Objective("macs", "min")])[0]
    assert search["front"] == [trials[i]["id"] for i in first]
    assert search["arch"] == max(trials, key=lambda row: row["scores"]["reward"])["arch"] == found["retrained"][0]["arch"]
    assert all(row["inherited"] == {} for row in found["retrained"])
    report = (path / "report.html").read_text()
    assert "reward" in report and "DetNAS" in report
    call(words(path, "--resume", settings=OTHER))
    assert results(path) == found
