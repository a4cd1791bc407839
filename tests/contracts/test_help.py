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
LIBRARY = (
    "import asyncio, decimal, doctest, email.mime.text, http.server, logging.config, multiprocessing.pool, pydoc, sqlite3, "
    "statistics, tarfile, unittest.mock, xml.dom.minidom"
)
"""A program that starts with much of the standard library: 0.16 seconds of CPU where help may take half a second."""
INSTANT = 0.5 / 0.16
"""Most CPU time of help, in starts of `LIBRARY`: on a busy machine both take up to 1.7 times as long."""


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


def starts(*words: str) -> float:
    """CPU time of a Python process in starts of `LIBRARY`, measured one after the other; the least of up to three times."""
    least = float("inf")
    for _ in range(3):
        least = min(least, cpu_seconds(*words)[0] / cpu_seconds("-c", LIBRARY)[0])
        if least < INSTANT:
            break
    return least


@pytest.mark.parametrize("task", TASKS)
def test_law_9_help_is_instant(task):
    _, printed = cpu_seconds("-m", f"{task}.train", "--help")
    assert all(method.name in printed for t, system in LISTED if t == task for method in system.methods)
    assert starts("-m", f"{task}.train", "--help") < INSTANT


@pytest.mark.parametrize(("task", "system"), LISTED, ids=[f"{t}-{s.name}" for t, s in LISTED])
def test_law_9_help_of_a_system_loads_no_torch(task, system):
    _, printed = cpu_seconds("-m", f"{task}.train", system.methods[0].name, "--help")
    assert "--recipe" in printed and "search.engine=NAME" in printed and "options options" not in printed
    assert starts("-m", f"{task}.train", system.methods[0].name, "--help") < INSTANT
    cpu_seconds("-c", f"import sys, {task}.train; assert 'torch' not in sys.modules")
