import io
import os
import shlex
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from torch import nn

from common.run.checkpoint import Checkpoint
from common.run.environment import variables, versions
from common.run.folder import RunFolder
from common.run.progress import Progress
from common.run.stages import other_versions, resume_command, run_stages, seconds_before
from common.train.fit import fit
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


@pytest.mark.parametrize("work", [interrupt, lambda: signal.raise_signal(signal.SIGTERM)])
def test_interrupts_end_cleanly_with_the_command(folder, capsys, work):
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as stop:
        run_stages([Step("a"), Step("b", work)], folder, QUIET, None, "python -m x --resume")
    assert stop.value.code == 130
    assert (
        capsys.readouterr().err
        == "\nStopped in stage 'b'; everything finished so far is kept. To continue:\n  python -m x --resume\n"
    )
    assert signal.getsignal(signal.SIGTERM) is before


def test_seconds_add_up_over_stops(folder):
    with pytest.raises(SystemExit):
        run_stages([Step("a", lambda: (time.sleep(0.2), interrupt()))], folder, QUIET, None, "cmd")
    assert 0.2 <= seconds_before(folder, "a") < 1
    run_stages([Step("a", lambda: time.sleep(0.1))], folder, QUIET, None, "cmd")
    (row,) = folder.log("stages.jsonl").rows()
    assert 0.3 <= row["seconds"] < 2


def test_seconds_of_a_killed_process_count_up_to_its_last_write(tmp_path):
    def work():
        def stage():
            time.sleep(0.3)
            (tmp_path / "run" / "sign").write_text("alive")
            die()

        with RunFolder.create(tmp_path / "run", {}, ()) as folder:
            run_stages([Step("a", stage)], folder, QUIET, None, "cmd")

    assert status(forked(work)) == -signal.SIGKILL
    with RunFolder.resume(tmp_path / "run", {}, ()) as folder:
        lost = seconds_before(folder, "a")
        assert 0.25 <= lost < 2
        (tmp_path / "run" / "later").write_text("not the killed process")
        assert seconds_before(folder, "a") == lost


def test_the_command_to_go_on(monkeypatch):
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "detection.train", "detnas", "--data", "my data"])
    command = resume_command(Path("runs/x"))
    assert command == "python -m detection.train detnas --data 'my data' --out runs/x --resume"
    monkeypatch.setattr(sys, "orig_argv", shlex.split(command))
    assert resume_command(Path("runs/x")) == command
    monkeypatch.setattr(sys, "orig_argv", [os.path.join(os.getcwd(), ".venv/bin/python"), "a.py", "--out=runs/y"])
    assert resume_command(Path("runs/y")) == ".venv/bin/python a.py --out=runs/y --resume"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_from_outside_saves_the_training_and_exits_with_130(tmp_path, number):
    step_seen = tmp_path / "seen"

    def work():
        model = nn.Linear(1, 1)

        def train():
            fit(
                model,
                batch_at=lambda number: torch.ones(1, 1),
                loss=lambda m, x: {"loss": m(x).square().mean()},
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
        assert [row["event"] for row in folder.log("sessions.jsonl").rows()] == ["start", "stop"]
