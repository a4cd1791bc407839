"""Runs of GAN Compression that are killed, in every stage, and resumed: they give what a run gives that never was."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from common.run.folder import RunFolder
from gan.compression import stages
from gan.compression.phases import Distil
from gan.game import Game
from gan.phases import CycleGAN, Pix2Pix
from gan.task import TranslationTask
from tests.common.run.killing import dies, status
from tests.common.run.rows import rows
from tests.gan.micro import STAGES, UNPAIRED, call, child, results, words

pytestmark = [pytest.mark.xdist_group("gan-micro"), pytest.mark.timeout(300)]
Kill = tuple[Any, str, int, int]
"""Where a process dies: at the call of that number, from 0, of a function; and how many stages are done by then."""

PAIRED: list[Kill] = [
    (Pix2Pix, "batch_at", 3, 0),  # after the first checkpoint
    (stages, "save_weights", 0, 0),  # the teacher's discriminator is written, the teacher is not
    (Game, "keep", 1, 1),  # the teacher's is kept once more, then that of the distilled start
    (Distil, "batch_at", 3, 2),  # in the supernet's training, after a checkpoint
    (RunFolder, "append_trial", 4, 3),
    (RunFolder, "append_retrained", 0, 5),  # the teacher's scores
    (RunFolder, "append_retrained", 3, 6),  # that row, searched and random 1 are there
    (Distil, "batch_at", 5, 6),  # in the next to be trained
    (TranslationTask, "pictures", 0, 8),
]
ALONE: list[Kill] = [(CycleGAN, "batch_at", 3, 0), (Distil, "batch_at", 2, 1)]


def killed(path: Path, kills: list[Kill], settings: list[str]) -> None:
    """Starts a run and resumes it, each time for as long as it lives."""
    for owner, name, at, done in kills:
        argv = words(path, *(["--resume"] if path.exists() else []), settings=settings)
        assert status(child(argv, lambda owner=owner, name=name, at=at: dies(owner, name, at))) == -signal.SIGKILL
        found = [row["stage"] for row in rows(path, "stages")] if (path / "stages.jsonl").exists() else []
        assert len(found) == done, (name, at, found)
        assert not (path / "report.html").exists()


def test_kills_leave_no_trace_on_pairs(finished, tmp_path, no_export):
    path = tmp_path / "run"
    killed(path, PAIRED, [])
    call(words(path, "--resume"))
    assert results(path) == results(finished)
    assert [row["stage"] for row in rows(path, "stages")] == STAGES


def test_kills_leave_no_trace_without_pairs(unpaired, tmp_path, no_export):
    """The pools of generated pictures survive as well."""
    path = tmp_path / "run"
    killed(path, ALONE, UNPAIRED)
    call(words(path, "--resume", settings=UNPAIRED))
    assert results(path) == results(unpaired)
