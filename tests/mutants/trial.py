"""One trial: a mutant is planted in a copy of the checkout and tests run there, in a child process.

The child is a fork of a process that has imported the libraries, so that a trial does not wait for torch.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Literal

import pytest

from tests.mutants.changes import Mutant
from tests.mutants.covering import times

OURS = (
    *("common", "tasknas", "tests", "conftest"),
    *("classification", "detection", "segmentation", "graphs", "gan", "superres", "binary"),
)
FOREIGN = (
    *("torch", "numpy", "hypothesis", "beartype", "safetensors", "xdist", "pytest_timeout"),
    *("matplotlib.figure", "scipy.stats", "yapf"),
)
IMPORTED = "pytest.PytestAssertRewriteWarning"
"""What pytest says of plugins that are imported already."""
Fate = Literal["killed", "timeout", "survived"]


def prepare() -> None:
    """Imports what the tests import, the project's own modules apart."""
    for name in FOREIGN:
        importlib.import_module(name)


def fate(copy: Path, mutant: Mutant, tests: list[str], limit: float) -> Fate:
    """What becomes of a mutant; the copy is as it was afterwards.

    Args:
        copy: a copy of the checkout that no other trial uses.
        mutant: what is planted.
        tests: pytest's names of the tests, in their order; the first that fails ends the trial.
        limit: seconds after which the mutant is said not to end.
    """
    target = copy / mutant.file
    source, before = target.read_bytes(), target.stat()
    target.write_bytes(mutant.planted(source))
    os.utime(target, ns=(before.st_atime_ns, time.time_ns() + 10**9 * (mutant.start + 1)))  # no cached bytecode is of this second
    try:
        return _ended(copy, ["-x", *tests], limit)
    finally:
        target.write_bytes(source)
        os.utime(target, ns=(before.st_atime_ns, before.st_mtime_ns))


def failing(copy: Path, tests: list[str], limit: float) -> set[str]:
    """Those of the tests that fail without a mutant in a child as every trial has one.

    Raises:
        TimeoutError: they did not end within `limit` seconds, or pytest ended before its report.
    """
    report = copy / "control.xml"
    report.unlink(missing_ok=True)
    if _ended(copy, [f"--junitxml={report}", *tests], limit) == "timeout" or not report.exists():
        raise TimeoutError(f"{len(tests)} tests, {tests[0]} first, did not end within {limit:.0f} s without a mutant")
    return set(tests) - set(times(report, copy))


def _ended(copy: Path, words: list[str], limit: float) -> Fate:
    child = os.fork()
    if child == 0:
        os._exit(_child(copy, words))
    end = time.monotonic() + limit
    done, status = 0, 0
    try:
        while not done and time.monotonic() < end:
            time.sleep(0.02)
            done, status = os.waitpid(child, os.WNOHANG)
    finally:  # also at Ctrl-C
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)  # the child leads a group: what its tests started ends with it
    if not done:
        os.waitpid(child, 0)
        return "timeout"
    match os.waitstatus_to_exitcode(status):
        case 0:
            return "survived"
        case 5:
            raise RuntimeError(f"pytest found none of these tests: {words}")
        case _:  # a test failed, a module could not be imported, or the mutant ended the process
            return "killed"


def _child(copy: Path, words: list[str]) -> int:
    """The exit status of pytest in the copy, with the project's modules imported anew."""
    try:
        os.setsid()
        silent = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(silent, stream)
        os.chdir(copy)
        os.environ["PYTHONPATH"] = str(copy)
        sys.path[:] = [str(copy), *(path for path in sys.path if path not in ("", os.environ.get("PWD", "")))]
        for name in [name for name in sys.modules if name.partition(".")[0] in OURS]:
            del sys.modules[name]
        sys.modules["__main__"] = ModuleType("__main__")
        return int(pytest.main(["-q", "-p", "no:cacheprovider", "-W", f"ignore::{IMPORTED}", *words]))
    except BaseException:
        return 99
