"""Runs on a graph that are killed, in every stage, and resumed: they give what a run gives that never was."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from common.run.folder import RunFolder
from common.stages import tune as tuning
from graphs.phases import Nodes
from graphs.task import GraphTask
from tests.common.run.killing import dies, status
from tests.graphs.micro import DERIVE, call, child, order, results, words

pytestmark = [pytest.mark.xdist_group("graphs-micro"), pytest.mark.timeout(300)]

STAGES = ["search", "tune", "retrain", "export"]
Kill = tuple[Any, str, int, list[str]]
"""Where a process dies: at the call of that number, from 0, of a function; and which stages are done by then."""

PDNAS: list[Kill] = [
    (RunFolder, "append_metrics", 1, []),
    (Nodes, "batch_at", 5, []),  # between two checkpoints of the search
    (tuning, "tune", 3, STAGES[:1]),
    (Nodes, "batch_at", 45, STAGES[:2]),  # the five tunings that are left take 40 batches
    (RunFolder, "append_retrained", 1, STAGES[:2]),
    (GraphTask, "pictures", 0, STAGES[:3]),
]
CANDIDATES: list[Kill] = [
    (RunFolder, "append_trial", 1, []),
    (Nodes, "batch_at", 10, []),  # in the training of one
    (RunFolder, "append_retrained", 2, STAGES[:2]),
]


def kill(path: Path, kills: list[Kill], method: str, settings: list[str]) -> None:
    """Starts a run and resumes it, each time for as long as it lives."""
    for owner, name, at, done in kills:
        argv = words(path, *(["--resume"] if path.exists() else []), method=method, settings=settings)
        assert status(child(argv, lambda owner=owner, name=name, at=at: dies(owner, name, at))) == -signal.SIGKILL
        assert (order(path, *STAGES) if (path / "stages.jsonl").exists() else []) == done
        assert not (path / "report.html").exists()


@pytest.mark.parametrize(
    ("method", "settings", "kills"),
    [("pdnas", [], PDNAS), ("pdnas", [DERIVE], CANDIDATES), ("evolution", [], CANDIDATES)],
    ids=["pdnas", "derived", "evolution"],
)
def test_kills_leave_no_trace(method, settings, kills, tmp_path, monkeypatch):
    monkeypatch.setattr(GraphTask, "export", lambda self, network, folder: 0.0)
    whole, path = tmp_path / "whole", tmp_path / "run"
    call(words(whole, method=method, settings=settings))
    kill(path, kills, method, settings)
    call(words(path, "--resume", method=method, settings=settings))
    found = results(path)
    assert found == results(whole) and len(found["retrained"]) == 4 and len(found["tuned"]) == 8
    assert len(found.get("trials", [])) == (3 if kills is CANDIDATES else 0)
    if DERIVE in settings:
        learnt, searched = (row["result"]["arch"] for row in found["stages"][:2])
        assert found["trials"][0]["arch"] == learnt and searched == found["trials"][2]["arch"] == found["retrained"][0]["arch"]
        assert [row["fidelity"] for row in found["trials"]] == ["0.5", "0.5", "full"]
