"""Twenty kills at random moments of DetNAS runs, without and with worker processes: every run ends as if nothing had happened."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from common.streams import stream
from tests.common.run.killing import forked, status
from tests.detection.micro import call, kill_when, results, words

pytest.importorskip("detection.detnas.networks")  # imported once, here: children are forked
pytestmark = [pytest.mark.soak, pytest.mark.timeout(7200)]

KILLS = 20
SEED = int(os.environ.get("TASKNAS_SOAK_SEED", "0"))
"""Decides the moments; give another one to try others."""

_SETTINGS = """
data.train=256 data.val=128 data.test=128 save_every=7 warm_up.steps=20 pretrain.steps=20 detect.steps=60
retrain_pretrain.steps=15 retrain_detect.steps=40
"""
SETTINGS = _SETTINGS.split()
"""The smoke recipe with about a sixth of its steps."""


def finish(path: Path, workers: int, *more: str) -> None:
    assert status(forked(lambda: call(words(path, *more, settings=SETTINGS, workers=workers)))) == 0


@pytest.mark.parametrize("workers", [0, 2])
def test_kills_at_random_moments_leave_no_trace(tmp_path, workers):
    began = time.monotonic()
    undisturbed = tmp_path / "undisturbed"
    finish(undisturbed, workers)
    whole = time.monotonic() - began
    expected = results(undisturbed)

    rng = stream(SEED, "soak", workers)
    kills, run, moments = 0, 0, []
    while kills < KILLS // 2:
        path = tmp_path / f"run-{run}"
        resume = ["--resume"] if path.exists() else []
        moments.append(rng.uniform(0, whole / 3))
        end = time.monotonic() + moments[-1]
        argv = words(path, *resume, settings=SETTINGS, workers=workers)
        ended = kill_when(argv, lambda end=end: time.monotonic() > end)
        assert ended in (0, -signal.SIGKILL), moments
        if ended:
            kills += 1
        else:  # it had ended before its moment: on to a new run
            compare(path, expected, moments)
            run, moments = run + 1, []
    path = tmp_path / f"run-{run}"
    finish(path, workers, *(["--resume"] if path.exists() else []))
    compare(path, expected, moments)


def compare(path: Path, expected: dict, moments: list[float]) -> None:
    found = results(path)
    assert found.keys() == expected.keys(), moments
    for name in expected:
        assert found[name] == expected[name], (name, moments)
