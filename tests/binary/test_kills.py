"""Runs with a teacher that are killed, in every stage, and resumed: they give what a run gives that never was."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest

from binary import stages
from binary.phases import Distil
from binary.task import BinaryTask
from classification.phases import Classify
from common.run.folder import RunFolder
from tests.binary.micro import call, child, results, words
from tests.common.run.killing import dies, status
from tests.common.run.rows import rows

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
Kill = tuple[Any, str, int, int]
"""Where a process dies: at the call of that number, from 0, of a function; and how many stages are done by then."""

KILLS: dict[str, list[Kill]] = {
    "binary-width": [
        (Classify, "batch_at", 3, 0),  # after the teacher's first checkpoint
        (stages, "save_weights", 0, 0),  # it is trained, and not written
        (RunFolder, "finish", 0, 0),  # scored as well
        (Distil, "batch_at", 6, 1),  # in the second phase of the second candidate
        (Distil, "batch_at", 7, 2),  # in the second phase of the first retraining
    ],
    "binary-groups": [(Distil, "batch_at", 3, 1)],  # in the supernet's training
}


@pytest.mark.parametrize("method", KILLS)
def test_kills_and_worker_processes_leave_no_trace(method, tmp_path, monkeypatch):
    monkeypatch.setattr(BinaryTask, "export", lambda self, network, folder: 0.0)
    whole, path = tmp_path / "whole", tmp_path / "run"
    call(words(whole, method=method))
    for owner, name, at, done in KILLS[method]:
        argv = words(path, *(["--resume"] if path.exists() else []), method=method)
        assert status(child(argv, lambda owner=owner, name=name, at=at: dies(owner, name, at))) == -signal.SIGKILL
        found = [row["stage"] for row in rows(path, "stages")] if (path / "stages.jsonl").exists() else []
        assert len(found) == done, (name, at, found)
    call(words(path, "--resume", method=method, workers=2))
    assert results(path) == results(whole)
    teacher, *others = rows(path, "retrained")
    assert (teacher["name"], teacher["kind"], teacher["cost"]["bops"]) == ("teacher", "reference", 0) and teacher["test"]
    assert {row["name"] for row in others} >= {"searched", "random 1", "baseline"} and not any("error" in row for row in others)
    losses = [row["values"] for row in rows(path, "metrics") if row["stage"].startswith("retrain")]
    assert losses and all("distil_loss" in values and "class_loss" in values for values in losses)
    notes = json.loads((path / "config.json").read_text())["notes"]
    assert any("has weight 0.5 in the loss, cross-entropy 0.5" in note for note in notes)
