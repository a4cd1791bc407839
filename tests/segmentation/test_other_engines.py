"""DCNAS's grids searched by another engine, with another evaluation, than its own."""

import json

import pytest

from common.arch import from_labels
from common.evaluate.scratch import FromScratch
from common.options import RunOptions, settings_of
from common.streams import derive
from segmentation import facts
from segmentation.dcnas.recipes import RECIPES
from tests.common.run.rows import rows
from tests.segmentation.micro import SETTINGS, call, made, results, words
from tests.segmentation.test_train import no_export

pytest.importorskip("mmseg")
pytestmark = pytest.mark.timeout(300)

PROXY = ["train.steps=1", "head.channels=4", "data.val=4"]
OTHER = [
    *(word for word in SETTINGS if not word.startswith("search.")),
    *("search.engine=random", "search.trials=3", "search.random_baseline=false", "search.evaluation=proxy"),
    f"search.evaluation.overrides={json.dumps(PROXY)}",
]


def test_random_search_on_a_cheaper_variant_of_the_task(tmp_path, monkeypatch):
    monkeypatch.setattr(facts, "export", no_export)
    path = tmp_path / "run"
    call(words(path, settings=OTHER))
    found = results(path)
    stages = {row["stage"]: row["result"] for row in found["stages"]}
    assert list(stages) == ["search", "drawing", "retrain", "export"]
    trials = rows(path, "trials")
    assert [(row["origin"], row["status"], row["fidelity"]) for row in trials] == [("random", "ok", "full")] * 3
    assert stages["search"]["arch"] == max(trials, key=lambda row: row["scores"]["mIoU"])["arch"] == found["retrained"][0]["arch"]
    task = made(settings_of(RECIPES, RunOptions(set=OTHER)))
    arch = from_labels(task.space, trials[0]["arch"], "trials")
    scores = [FromScratch(task=one, seed=derive(0, "scratch"))([arch], "full")[0] for one in (task.variant(PROXY), task)]
    assert trials[0]["scores"] == scores[0].values != scores[1].values
    assert trials[0]["cost"] == task.costs(arch)  # not those of the variant, whose head is smaller
    notes = " ".join(json.loads((path / "config.json").read_text())["notes"])
    assert "weights from one half" not in notes and "validation split" in notes
    assert "DCNAS" in (path / "report.html").read_text()
    call(words(path, "--resume", settings=OTHER))
    assert results(path) == found
