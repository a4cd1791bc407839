import errno
import io
import os
import shlex
import signal
import sys
import time
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import nn

from common.run.checkpoint import Checkpoint
from common.run.environment import variables, versions
from common.run.files import Jsonl
from common.run.folder import RunFolder
from common.run.progress import Progress
from common.run.stages import clock, other_versions, resume_command, run_stages, seconds_before
from common.train.fit import fit
from common.train.step import Losses
from tests.common.run.killing import die, forked, status

QUIET = Progress(quiet=True)


@dataclass(frozen=True)
class Step:
    name: str
    work: object = None
    done: list = field(default_factory=list)

    def run(self, context):
        self.done.append(context)
        if self.work:
            self.work()
        return {"name": self.name, "count": len(self.done)}


@pytest.fixture
def folder(tmp_path):
    with RunFolder.create(tmp_path / "run", {}, ()) as folder:
        yield folder


def interrupt():
    raise KeyboardInterrupt


def test_what_a_stage_has_to_say_is_said_and_where_it_was_stopped_goes_to_standard_error(folder, capsys):
    @dataclass(frozen=True)
    class Noted(Step):
        def run(self, context):
            return {"note": "nothing was exported"}

    def search():
        with progress.stage("b"):
            interrupt()

    progress = Progress()
    with pytest.raises(SystemExit):
        run_stages([Noted("a"), Step("b", search)], folder, progress, None, "cmd")
    told = capsys.readouterr()
    assert "[2/2] b: started\n" in told.out
    assert "note: nothing was exported\n" in told.out and "Stopped" not in told.out
    assert told.err.startswith("\nStopped in stage 'b'; ") and told.err.endswith("  cmd\n")
    run_stages([Noted("a"), Step("b")], folder, progress, None, "cmd")
    assert "[1/2] a: done before\n" in capsys.readouterr().out


def test_a_reader_who_has_gone_stops_the_run_and_what_is_printed_later_goes_nowhere(folder):
    """As `... | head` does."""

    def work():
        reading, writing = os.pipe()
        os.close(reading)
        os.dup2(writing, 1)
        with open(1, "w", buffering=1, closefd=False) as out, pytest.raises(SystemExit) as stop:
            progress = Progress(stream=out)
            run_stages([Step("a", lambda: progress.say("hello"))], folder, progress, None, "cmd")
        assert stop.value.code == 130
        os.write(1, b"left")

    assert status(forked(work)) == 0


def test_done_stages_are_skipped_with_their_result(folder):
    a, b = Step("a"), Step("b")
    first = run_stages([a, b], folder, QUIET, "context", "cmd")
    assert first == {"a": {"name": "a", "count": 1}, "b": {"name": "b", "count": 1}}
    assert run_stages([a, b], folder, QUIET, "context", "cmd") == first
    assert a.done == b.done == ["context"]


def test_other_versions_on_a_resume_are_told(tmp_path):
    path, out = tmp_path / "run", io.StringIO()
    now = {"versions": versions()}
    old = {"versions": {**now["versions"], "torch": "1.0", "gone": "3.1"}}
    with RunFolder.create(path, {"environment": old}, ()) as folder:
        run_stages([], folder, Progress(stream=out), None, "cmd")
    told = f"differ from those of one go: torch {versions()['torch']} (was 1.0), gone missing (was 3.1)\n"
    assert out.getvalue().endswith(told)
    with RunFolder.create(tmp_path / "same", {"environment": now}, ()) as folder:
        run_stages([], folder, Progress(stream=out), None, "cmd")
    assert out.getvalue().count("note:") == 1


def test_other_variables_on_a_resume_are_told(tmp_path, monkeypatch):
    monkeypatch.setenv("MKL_CBWR", "COMPATIBLE")
    monkeypatch.setenv("MKL_NUM_THREADS", "4")
    then = {name: value for name, value in variables().items() if not name.startswith("MKL_")}
    with RunFolder.create(tmp_path / "run", {"environment": {"variables": {**then, "OMP_DYNAMIC": "TRUE"}}}, ()) as folder:
        assert other_versions(folder) == "OMP_DYNAMIC not set (was TRUE), MKL_CBWR COMPATIBLE (was not set)"


def test_an_error_keeps_what_is_done(folder):
    a, b = Step("a"), Step("b", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run_stages([a, b], folder, QUIET, None, "cmd")
    assert folder.done("a") and not folder.done("b")
    run_stages([a, Step("b")], folder, QUIET, None, "cmd")
    assert len(a.done) == 1 and folder.done("b")


@pytest.mark.parametrize(
    "work", [interrupt, lambda: signal.raise_signal(signal.SIGTERM), lambda: signal.raise_signal(signal.SIGHUP)]
)
def test_interrupts_end_cleanly_with_the_command(folder, capsys, work):
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)]
    with pytest.raises(SystemExit) as stop:
        run_stages([Step("a"), Step("b", work)], folder, QUIET, None, "python -m x --resume")
    assert stop.value.code == 130
    assert (
        capsys.readouterr().err
        == "\nStopped in stage 'b'; everything finished so far is kept. To continue:\n  python -m x --resume\n"
    )
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)] == before


def test_under_nohup_a_closed_terminal_ends_nothing(folder):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        run_stages([Step("a", lambda: signal.raise_signal(signal.SIGHUP))], folder, QUIET, None, "cmd")
    finally:
        signal.signal(signal.SIGHUP, before)
    assert folder.done("a")


def test_seconds_add_up_over_stops(folder):
    with pytest.raises(SystemExit):
        run_stages([Step("a", lambda: (time.sleep(0.2), interrupt()))], folder, QUIET, None, "cmd")
    assert 0.2 <= seconds_before(folder, "a") < 1
    run_stages([Step("a", lambda: time.sleep(0.1))], folder, QUIET, None, "cmd")
    (row,) = folder.log("stages.jsonl").rows()
    assert 0.3 <= row["seconds"] < 2


def test_seconds_of_a_killed_process_are_those_of_its_own_clock(tmp_path, monkeypatch):
    """Files that change later, a report say, and the time until the resume do not count."""
    monkeypatch.setattr("common.run.stages.TICK", 0.05)

    def work():
        def stage():
            time.sleep(0.4)
            die()

        with RunFolder.create(tmp_path / "run", {}, ()) as folder:
            run_stages([Step("a", stage)], folder, QUIET, None, "cmd")

    assert status(forked(work)) == -signal.SIGKILL
    with RunFolder.resume(tmp_path / "run", {}, ()) as folder:
        lost = seconds_before(folder, "a")
        assert 0.2 <= lost < 1
        later = tmp_path / "run" / "report.html"
        later.write_text("ten hours later")
        os.utime(later, (time.time() + 36_000,) * 2)
        assert seconds_before(folder, "a") == lost
        run_stages([Step("a", lambda: time.sleep(0.1))], folder, QUIET, None, "cmd")
        (row,) = folder.log("stages.jsonl").rows()
        assert lost + 0.1 <= row["seconds"] < lost + 1


def test_a_day_of_ticks_is_a_small_file(folder, monkeypatch):
    now = [0.0]

    class Ended:
        def wait(self, seconds):
            now[0] += seconds
            return now[0] > 86_400

        def set(self):
            pass

    monkeypatch.setattr("common.run.stages.Event", Ended)
    monkeypatch.setattr("common.run.stages.monotonic", lambda: now[0])
    with clock(folder.log("sessions.jsonl"), "a", 0.0):
        pass
    ticks = [row["seconds"] for row in folder.log("sessions.jsonl").rows()]
    assert len(ticks) < 150 and all(later - earlier <= max(1, later / 10) for earlier, later in pairwise([0.0, *ticks]))


def test_ticks_stop_with_the_stage_and_a_full_disk_stops_no_stage(folder, monkeypatch):
    monkeypatch.setattr("common.run.stages.TICK", 0.01)
    with monkeypatch.context() as context:
        real = Jsonl.append
        full = OSError(errno.ENOSPC, "full")

        def append(self, row, **durable):
            if row.get("event") == "tick":
                raise full
            real(self, row, **durable)

        context.setattr(Jsonl, "append", append)
        run_stages([Step("a", lambda: time.sleep(0.1))], folder, QUIET, None, "cmd")
    run_stages([Step("b", lambda: time.sleep(0.1))], folder, QUIET, None, "cmd")
    before = len(folder.log("sessions.jsonl").rows())
    assert before > 5
    time.sleep(0.05)
    assert len(folder.log("sessions.jsonl").rows()) == before


def test_the_command_to_go_on(monkeypatch):
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "detection.train", "detnas", "--data", "my data"])
    command = resume_command(Path("runs/x"))
    assert command == "python -m detection.train detnas --data 'my data' --out runs/x --resume"
    monkeypatch.setattr(sys, "orig_argv", shlex.split(command))
    assert resume_command(Path("runs/x")) == command
    monkeypatch.setattr(sys, "orig_argv", [os.path.join(os.getcwd(), ".venv/bin/python"), "a.py", "--out=runs/y"])
    assert resume_command(Path("runs/y")) == ".venv/bin/python a.py --out=runs/y --resume"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_from_outside_saves_the_training_and_exits_with_130(tmp_path, number):
    step_seen = tmp_path / "seen"

    def work():
        model = nn.Linear(1, 1)

        def train():
            fit(
                Losses(model, lambda m, x, step: {"loss": m(x).square().mean()}),
                batch_at=lambda number: torch.ones(1, 1),
                optimizer=torch.optim.SGD(model.parameters(), lr=0.1),
                schedule=lambda fraction: 1.0,
                steps=10**9,
                checkpoint=Checkpoint(tmp_path / "run" / "checkpoints" / "net"),
                save_every=10**9,
                observe=lambda step, values: step_seen.write_text("x") if step == 3 else None,
            )

        signal.signal(signal.SIGINT, signal.default_int_handler)  # a test runner may ignore it
        with RunFolder.create(tmp_path / "run", {}, ()) as folder:
            run_stages([Step("train", train)], folder, QUIET, None, "cmd")

    child = forked(work)
    while not step_seen.exists():
        time.sleep(0.01)
    os.kill(child, number)
    assert status(child) == 130
    assert Checkpoint(tmp_path / "run" / "checkpoints" / "net").load().step > 3
    with RunFolder.resume(tmp_path / "run", {}, ()) as folder:
        assert [row["event"] for row in folder.log("sessions.jsonl").rows() if row["event"] != "tick"] == ["start", "stop"]
