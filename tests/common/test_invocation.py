"""The command that started a process, for every way of starting one."""

import os
import sys

import pytest

from common.invocation import portable, typed


@pytest.fixture
def started(monkeypatch, tmp_path):
    """A folder with a console script, and what sets the words of a process."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "env/bin").mkdir(parents=True)
    script = tmp_path / "env/bin/tasknas"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", os.defpath)

    def start(original, argv):
        monkeypatch.setattr(sys, "orig_argv", original)
        monkeypatch.setattr(sys, "argv", argv)
        return script

    return start


def test_the_console_script_is_typed_without_python(started, tmp_path, monkeypatch):
    script = str(tmp_path / "env/bin/tasknas")
    started(["/usr/bin/python3", script, "detnas", "--seed", "1"], [script, "detnas", "--seed", "1"])
    assert typed() == ["env/bin/tasknas", "detnas", "--seed", "1"]
    assert portable() == "tasknas detnas --seed 1"
    monkeypatch.setenv("PATH", str(tmp_path / "env/bin"))
    assert typed() == ["tasknas", "detnas", "--seed", "1"]


def test_a_console_script_of_elsewhere_keeps_its_path(started, tmp_path, monkeypatch):
    script = str(started([], [""]))
    started(["/usr/bin/python3", "-X", "dev", script, "darts"], [script, "darts"])
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    assert typed() == [script, "darts"]
    assert portable() == "tasknas darts"


def test_a_relative_console_script_stays_as_it_was_typed(started):
    started(["/usr/bin/python3", "env/bin/tasknas", "darts"], ["env/bin/tasknas", "darts"])
    assert typed() == ["env/bin/tasknas", "darts"]


@pytest.mark.parametrize("module", ["tasknas", "detection.train"])
def test_a_module_keeps_python_and_its_options(started, tmp_path, module):
    python = str(tmp_path / "env/bin/python")
    main = str(tmp_path / "site" / module.replace(".", "/")) + ".py"
    started([python, "-X", "dev", "-m", module, "detnas", "--data", "my data"], [main, "detnas", "--data", "my data"])
    assert typed() == ["env/bin/python", "-X", "dev", "-m", module, "detnas", "--data", "my data"]
    assert portable() == f"python -X dev -m {module} detnas --data 'my data'"
