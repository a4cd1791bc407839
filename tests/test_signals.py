"""Ctrl-C and SIGTERM end a run with the command that goes on, and leave no process behind; a search on a small graph shows it."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.common.run.rows import lines, rows

pytest.importorskip("torch_geometric")
from tests.graphs.micro import call, words

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ("trials", "tuned", "metrics", "retrained")
SETTINGS = ["search.trials=6"]


def start(command: list[str]) -> subprocess.Popen:
    return subprocess.Popen(command, cwd=ROOT, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def session(leader: int) -> list[int]:
    """Living processes of a session."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z" and int(fields[3]) == leader:
            found.append(int(stat.parent.name))
    return found


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
def test_signals_end_a_run_with_the_command_that_goes_on(tmp_path, monkeypatch):
    """Ctrl-C in the search, with a worker; the command it prints goes on to the same results, until SIGTERM ends it."""
    path, finished = tmp_path / "my run", tmp_path / "undisturbed"
    command = [sys.executable, "-m", "graphs.train", *words(path, method="random", settings=SETTINGS, workers=1)]
    expected = [shlex.quote(str(path)), "--resume"]
    for number, event in ((signal.SIGINT, lines(path, "trials", 2)), (signal.SIGTERM, lines(path, "retrained", 4))):
        process = start(command)
        end = time.monotonic() + 200
        while not event() and process.poll() is None and time.monotonic() < end:
            time.sleep(0.01)
        assert process.poll() is None and len(session(process.pid)) > 1
        if number == signal.SIGINT:
            os.killpg(process.pid, number)  # as a terminal does
        else:
            process.send_signal(number)
        out, error = process.communicate(timeout=60)
        assert process.returncode == 130 and out == ""
        end = time.monotonic() + 5  # multiprocessing's own helper ends when it sees that the others are gone
        while session(process.pid) and time.monotonic() < end:
            time.sleep(0.05)
        assert session(process.pid) == []
        told = re.fullmatch(r"\nStopped in stage '([a-z ]+)'; everything finished so far is kept. To continue:\n  (.+)\n", error)
        assert told, error
        command = shlex.split(told[2])
        assert all(word in told[2] for word in expected)
    monkeypatch.setattr("graphs.task.GraphTask.export", lambda self, network, folder: 0.0)
    call(words(finished, method="random", settings=SETTINGS))
    assert {name: rows(path, name) for name in RESULTS} == {name: rows(finished, name) for name in RESULTS}
