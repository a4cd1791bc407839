"""A search by predictions: a sample is evaluated, predictions are searched, the best of them are evaluated."""

import signal
from dataclasses import replace

import pytest

from common.engines import Random
from common.evaluate.settings import PredictorSettings, ScratchSettings
from common.run.folder import RunFolder
from common.stages.search import Search
from common.stages.settings import SearchSettings
from tests.common.run.killing import die, forked, status
from tests.common.run.rows import rows
from tests.common.stages.toy import TunedToy, opened

PREDICTOR = PredictorSettings(base=ScratchSettings(), fitted=4, verified=2, hidden=(8,), members=2)
SETTINGS = SearchSettings(engine=Random(), trials=9, evaluation=PREDICTOR)


def search(path, settings=SETTINGS):
    with opened(path, TunedToy()) as context:
        return dict(Search(settings=settings).run(context))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("predicted") / "run"
    return path, search(path)


def test_only_evaluated_scores_are_trials_and_the_best_of_them_is_found(whole):
    path, result = whole
    trials, predicted = rows(path, "trials"), rows(path, "predicted")
    assert [row["origin"] for row in trials] == ["random"] * 4 + ["predicted"] * 2
    assert len(predicted) == 9 and {row["fidelity"] for row in predicted} == {"predicted"}
    best = max(trials, key=lambda row: (row["scores"]["accuracy"], -row["id"]))
    assert result["best"] == best["id"] and result["scores"] == best["scores"]


def test_the_best_by_prediction_that_were_not_evaluated_are_evaluated(whole):
    path, _ = whole
    trials, predicted = rows(path, "trials"), rows(path, "predicted")
    sample = [row["arch"] for row in trials[:4]]
    ranked = sorted((row for row in predicted if row["arch"] not in sample), key=lambda row: -row["scores"]["accuracy"])
    assert [row["arch"] for row in trials[4:]] == [row["arch"] for row in ranked[:2]]


def test_nothing_is_evaluated_twice(tmp_path):
    """Of 16 architectures 12 are in the sample: among the best 4 by prediction that are not, there is no other choice."""
    search(tmp_path / "run", replace(SETTINGS, trials=16, evaluation=replace(PREDICTOR, fitted=12, verified=4)))
    trials = rows(tmp_path / "run", "trials")
    assert len({tuple(row["arch"].items()) for row in trials}) == len(trials) == 16


@pytest.mark.parametrize("at", [2, 6, 14])  # in the sample, in the predictions, in the evaluation
def test_kills_leave_no_trace(at, whole, tmp_path):
    path, expected = whole

    def work() -> None:
        real, calls = RunFolder.append_trial, iter(range(100))
        RunFolder.append_trial = lambda *values: die() if next(calls) == at else real(*values)
        search(tmp_path / "run")

    assert status(forked(work)) == -signal.SIGKILL
    assert search(tmp_path / "run") == expected
    for name in ("trials", "predicted"):
        assert rows(tmp_path / "run", name) == rows(path, name)
