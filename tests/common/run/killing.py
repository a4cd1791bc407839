"""Processes that are killed, forked so that torch is not imported anew, and files that are damaged."""

import os
import signal
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any


def forked(work: Callable[[], object]) -> int:
    """The id of a child process that does `work` and ends with status 0, its own exit status, or 1 where it raised."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except SystemExit as stop:
            os._exit(stop.code)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return child


def status(child: int) -> int:
    """Waits for the child: its exit status, or minus the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def kill_after(child: int, seconds: float) -> int:
    """Kills the child with SIGKILL after `seconds`; its status."""
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    return status(child)


def kill_when(child: int, event: Callable[[], bool], timeout: float = 120) -> int:
    """Kills the child with SIGKILL as soon as `event()`, if it has not ended before, or after `timeout` seconds; its status."""
    end = time.monotonic() + timeout
    while not event() and time.monotonic() < end and os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    return status(child)


def die() -> None:
    """SIGKILL for this process."""
    os.kill(os.getpid(), signal.SIGKILL)


def dies(owner: Any, name: str, at: int) -> None:
    """From now on this process dies at call number `at`, from 0, of the function `name` of a class or module."""
    real, calls = getattr(owner, name), iter(range(at + 1))

    def dying(*values: Any, **named: Any) -> Any:
        if next(calls) == at:
            die()
        return real(*values, **named)

    setattr(owner, name, dying)


def flip(file: Path, at: int) -> None:
    """Flips the lowest bit of one byte of a file."""
    data = bytearray(file.read_bytes())
    data[at] ^= 1
    file.write_bytes(bytes(data))
