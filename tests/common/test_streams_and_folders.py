"""Troubles of a command's surroundings: pipes that close, streams of few characters, folders that go away in mid-run."""

from __future__ import annotations

import io
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from common.errors import UserError
from common.extras import MissingPackages
from common.options import RunOptions
from common.run.files import check_folder
from common.run.folder import RunFolder
from common.run.progress import Progress
from common.run.stages import STOPPED, run_stages
from common.script import spoken_errors
from common.space import OneOf
from common.stages.reload import reload
from common.stages.run import run
from common.system import System
from tasknas.__main__ import main
from tests.contracts.cases import SYSTEMS

SPACE = {"width": OneOf(1, 2)}


@dataclass(frozen=True)
class Failing:
    """A stage in which something happens to the run's folder."""

    happens: object
    name: str = "train"
    parallel: ClassVar[bool] = False

    def run(self, folder):
        for step in (1, 2):  # the second one waits to be brought to the disk when the folder is closed
            folder.append_metrics("train", step, {"loss": 1.0})
        self.happens(folder.path)
        folder.append_metrics("train", 3, {"loss": 1.0})
        return {}


def in_stage(path: Path, happens) -> None:
    with RunFolder.create(path, {"seed": 0}, SPACE) as folder:
        run_stages([Failing(happens)], folder, Progress(quiet=True), folder, "again --resume")


@pytest.mark.parametrize("happens", [shutil.rmtree, lambda path: path.rename(path.with_name("moved"))], ids=["deleted", "moved"])
def test_a_folder_that_goes_away_in_mid_run_is_one_line(tmp_path, happens):
    with pytest.raises(
        UserError, match=r"run was deleted or moved while the run was in stage 'train'; move it back and run again"
    ):
        in_stage(tmp_path / "run", happens)
    assert not (tmp_path / "run").exists()


def test_a_failure_of_a_whole_folder_is_told_as_it_is(tmp_path):
    def fails(path):
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        in_stage(tmp_path / "run", fails)


def test_a_run_whose_output_is_no_longer_read_stops_as_after_ctrl_c(tmp_path, capfd):
    def fails(path):
        raise BrokenPipeError

    before = os.dup(1)
    try:
        with pytest.raises(SystemExit) as stop:
            in_stage(tmp_path / "run", fails)
    finally:
        os.dup2(before, 1)
    assert stop.value.code == STOPPED and "To continue:\n  again --resume" in capfd.readouterr().err


class Closed(io.StringIO):
    """A pipe that nobody reads: what is written is in its buffer, and `flush` fails."""

    def __init__(self, handle: int) -> None:
        super().__init__()
        self.handle = handle

    def flush(self) -> None:
        raise BrokenPipeError

    def fileno(self) -> int:
        return self.handle


@pytest.mark.parametrize(
    "words", [["--help"], ["detnas", "--help"], ["engines"], ["list"], ["describe", "detnas", "--help"]], ids=" ".join
)
def test_a_closed_pipe_ends_a_command_in_silence(words, tmp_path, monkeypatch, capsys):
    with (tmp_path / "out").open("w") as file:
        monkeypatch.setattr(sys, "stdout", Closed(file.fileno()))
        with pytest.raises(SystemExit) as stop:
            main(words)
    assert stop.value.code == 0 and capsys.readouterr().err == ""


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_streams_of_few_characters_take_what_is_printed(encoding, monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding, errors="strict"))
    with spoken_errors():
        print("╭─ run ─╮ │ M\u00fcnchen \u2713")
    sys.stdout.flush()
    text = raw.getvalue().decode(encoding)
    assert text == "+- run -+ | M\\xfcnchen \\u2713\n" if encoding == "ascii" else "+- run -+ | M\u00fcnchen \\u2713\n"


def test_help_is_printed_where_there_is_only_ascii(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii", errors="strict"))
    with pytest.raises(SystemExit) as stop:
        main(["detnas", "--help"])
    assert stop.value.code == 0 and b"--recipe" in raw.getvalue() and b"\\u25" not in raw.getvalue()


def test_places_that_cannot_hold_results_are_refused_before_the_work(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below" / "it"):
        with pytest.raises(UserError, match="file is a file; give a folder as --out"):
            check_folder(path)
    check_folder(tmp_path / "new" / "below")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(UserError, match=r"cannot be written \(permission is denied\); make it writable or give another --out"):
        check_folder(tmp_path / "new")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_run_looks_at_its_folder_before_it_reads_data(tmp_path, monkeypatch):
    _, system = SYSTEMS[0]
    method = system.methods[0]
    monkeypatch.setattr(System, "make", lambda *_: pytest.fail("work was spent"))
    (tmp_path / "file").write_text("")
    for out, said in (
        (tmp_path / "file", "is a file; --out needs"),
        (tmp_path, "is not empty"),
        (tmp_path / "file" / "x", "is a file; give"),
    ):
        with pytest.raises(UserError, match=said):
            run(system, method, method.recipes["smoke"](), RunOptions(out=str(out), quiet=True))


@pytest.mark.parametrize(("task", "name", "module"), [("graphs", "pdnas", "torch_geometric"), ("detection", "detnas", "mmdet")])
def test_a_finished_run_needs_the_packages_of_its_task(task, name, module, tmp_path, monkeypatch):
    (tmp_path / "config.json").write_text(f'{{"task": "{task}", "system": "{name}"}}')
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingPackages, match=rf"^{module} not installed: {task} needs it; run pip install"):
        reload(tmp_path)
