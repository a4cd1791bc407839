import json
import os
import platform
import socket
import subprocess

import torch

from common.run.environment import environment, git


def test_says_what_ran_where_without_naming_the_host():
    found = environment()
    text = json.dumps(found)
    assert found["versions"]["python"] == platform.python_version()
    assert found["versions"]["torch"] == torch.__version__.split("+")[0] or found["versions"]["torch"] == torch.__version__
    assert found["machine"]["torch_threads"] == 1
    assert found["machine"]["cores"] >= 1 and found["machine"]["memory_gib"] > 0
    assert socket.gethostname() not in text


def test_cores_are_counted_where_a_process_cannot_ask_for_its_own(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity")
    assert environment()["machine"]["cores"] == os.cpu_count()


def test_variables_that_can_change_results_are_recorded(monkeypatch):
    given = {"MKL_NUM_THREADS": "4", "KMP_AFFINITY": "x" * 200, "TORCH_HOME": "/home/someone", "MY_TOKEN": "secret"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    found = environment()["variables"]
    assert found["MKL_NUM_THREADS"] == "4" and found["KMP_AFFINITY"] == "x" * 80 and found["TORCH_HOME"] == "(a path)"
    assert "MY_TOKEN" not in found and "someone" not in json.dumps(found)


def test_git_names_the_commit_and_changes(tmp_path):
    assert git(tmp_path) is None

    def run(*words):
        subprocess.run(
            ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b", *words], check=True, capture_output=True
        )

    run("init")
    (tmp_path / "a").write_text("1")
    run("add", "a")
    run("commit", "-m", "one")
    first = git(tmp_path)
    assert len(first["commit"]) == 40 and first["dirty"] is False
    (tmp_path / "a").write_text("2")
    assert git(tmp_path) == {"commit": first["commit"], "dirty": True}
    (tmp_path / "below").mkdir()
    assert git(tmp_path / "below") is None  # somebody else's repository
