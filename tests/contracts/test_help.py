"""Law 9 of docs/architecture.md: a train script's help is instant, for every task and each of its commands."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contracts.cases import SYSTEMS

ROOT = Path(__file__).parents[2]
LISTED = [(task, system) for task, system in SYSTEMS if task != "toy"]
TASKS = sorted({task for task, _ in LISTED})
INSTANT = 0.5
"""Seconds of CPU."""


def cpu_seconds(*words: str) -> tuple[float, str]:
    """CPU time (user and system) of a Python process, and what it printed."""
    caching = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}  # a second start finds what the first one compiled
    process = subprocess.Popen([sys.executable, *words], cwd=ROOT, stdout=subprocess.PIPE, text=True, env=caching)
    assert process.stdout is not None
    with process.stdout as out:
        printed = out.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_utime + usage.ru_stime, printed


def instant(first: float, *words: str, more: int) -> bool:
    """Whether the least of a start and of `more` further ones is instant: what a loaded machine adds is not the script's."""
    return first < INSTANT or any(cpu_seconds(*words)[0] < INSTANT for _ in range(more))


@pytest.mark.parametrize("task", TASKS)
def test_law_9_help_is_instant(task):
    first, printed = cpu_seconds("-m", f"{task}.train", "--help")
    assert all(method.name in printed for t, system in LISTED if t == task for method in system.methods)
    assert instant(first, "-m", f"{task}.train", "--help", more=2)


@pytest.mark.parametrize(("task", "system"), LISTED, ids=[f"{t}-{s.name}" for t, s in LISTED])
def test_law_9_help_of_a_system_loads_no_torch(task, system):
    seconds, printed = cpu_seconds("-m", f"{task}.train", system.methods[0].name, "--help")
    assert "--recipe" in printed and "search.engine=NAME" in printed and "options options" not in printed
    assert instant(seconds, "-m", f"{task}.train", system.methods[0].name, "--help", more=1)
    cpu_seconds("-c", f"import sys, {task}.train; assert 'torch' not in sys.modules")
