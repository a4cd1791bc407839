"""A run is a list of stages: each is done once, and what it gave is kept for the next process that opens the run."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import threading
from contextlib import contextmanager
from threading import Event
from time import monotonic, time
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar, runtime_checkable

from common.errors import UserError
from common.invocation import typed
from common.run.environment import variables, versions
from common.run.files import disk_errors

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from types import FrameType

    from common.run.files import Jsonl
    from common.run.folder import RunFolder
    from common.run.progress import Progress

STOPPED = 130
"""Exit status of a run that was stopped with Ctrl-C, SIGTERM or SIGHUP (the terminal was closed)."""

TICK = 1.0
"""Least seconds between two ticks of a stage's clock in `sessions.jsonl`."""

Context = TypeVar("Context", contravariant=True)


@runtime_checkable
class Stage(Protocol[Context]):
    """One stage of a run; a frozen dataclass with these is one.

    Attributes:
        parallel: whether the stage gives jobs to worker processes.
    """

    parallel: ClassVar[bool]

    @property
    def name(self) -> str:
        """Names the stage in files and on the screen; unique in a run."""
        ...

    def run(self, context: Context, /) -> Mapping[str, object]:
        """Does the stage, going on from its own files where a killed process left it.

        Returns:
            JSON values. A `note` is a sentence that a reader must know: the screen and the notes of the report show it.
        """
        ...


def run_stages(
    stages: Sequence[Stage[Context]], folder: RunFolder, progress: Progress, context: Context, command: str
) -> dict[str, dict[str, Any]]:
    """Runs the stages in order; those done before are skipped with the result they gave then.

    Args:
        stages: what to do.
        folder: keeps results, and wall-clock seconds summed over every process that worked on a stage.
        progress: told where the run is.
        context: given to every stage.
        command: what to type to go on, shown when the run is stopped; see `resume_command`.

    Returns:
        Stage name -> result.

    Raises:
        SystemExit: with status 130, after Ctrl-C, SIGTERM or SIGHUP; the command to go on is on standard error.
        UserError: the disk is full or cannot be written, or the folder was deleted.
    """
    results: dict[str, dict[str, Any]] = {}
    name = ""
    try:
        with signals_interrupt(), disk_errors(folder.path, "everything finished so far is kept"):
            if changed := other_versions(folder):
                where = "under other versions or environment variables"
                progress.say(f"note: resumed {where}, so results may differ from those of one go: {changed}")
            for index, stage in enumerate(stages, start=1):
                name = stage.name
                progress.place(index, len(stages))
                if folder.done(name):
                    progress.say(f"[{index}/{len(stages)}] {name}: done before")
                else:
                    _run(stage, folder, context)
                    if note := folder.result(name).get("note"):
                        progress.say(f"note: {note}")
                results[name] = folder.result(name)
    except (KeyboardInterrupt, BrokenPipeError) as stop:  # the second one: `... | head`, and head has seen enough
        print(
            f"\nStopped in stage {name!r}; everything finished so far is kept. To continue:\n  {command}",
            file=sys.stderr,
            flush=True,
        )
        if isinstance(stop, BrokenPipeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is left in the buffer has nowhere to go
        raise SystemExit(STOPPED) from None
    except Exception as error:
        if not (folder.path / "config.json").is_file():  # whatever was tried next: that is the cause
            raise UserError(
                f"{folder.path} was deleted or moved while the run was in stage {name!r}; move it back and run again with "
                "--resume, or begin anew with another --out"
            ) from error
        raise
    return results


def other_versions(folder: RunFolder) -> str:
    """What differs from the process that the run was started in, in words; empty if nothing does.

    Versions of packages, and environment variables that can change a result. The number of threads is no such variable: a run
    sets it.
    """
    environment = folder.config.get("environment")
    told = []
    for kind, now, none in (("versions", versions(), "missing"), ("variables", variables(), "not set")):
        then = environment.get(kind) if isinstance(environment, dict) else None
        if not isinstance(then, dict):
            continue
        names = [name for name in {**then, **now} if then.get(name) != now.get(name) and not name.endswith("_NUM_THREADS")]
        told += [f"{name} {now.get(name, none)} (was {then.get(name, none)})" for name in names]
    return ", ".join(told)


def _run(stage: Stage[Context], folder: RunFolder, context: Context) -> None:
    work = folder.log("sessions.jsonl")
    before = seconds_before(folder, stage.name)
    work.append({"stage": stage.name, "event": "start", "at": time()})
    began = monotonic()
    try:
        with clock(work, stage.name, began):
            result = stage.run(context)
    except BaseException:
        work.append({"stage": stage.name, "event": "stop", "seconds": monotonic() - began})
        raise
    folder.finish(stage.name, result, before + monotonic() - began)


@contextmanager
def clock(work: Jsonl, stage: str, began: float) -> Iterator[None]:
    """In the block a thread writes down how long the stage has taken, so that a killed process leaves its seconds.

    It writes after `TICK` seconds and whenever a tenth of the time has passed since: a kill loses no more, and a day takes some
    hundred lines.
    """
    ended = Event()

    def write() -> None:
        while not ended.wait(max(TICK, (monotonic() - began) / 10)):
            try:
                work.append({"stage": stage, "event": "tick", "seconds": monotonic() - began}, durable=False)
            except (OSError, UserError):  # the stage meets a full disk itself, and says so
                return

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def seconds_before(folder: RunFolder, stage: str) -> float:
    """Wall-clock seconds that earlier processes spent on `stage`, each by its own monotonic clock.

    A process that was killed wrote no stop: its last tick counts (see `clock`). Runs of version 0.1 before that have no ticks.
    """
    total = last = 0.0
    for row in folder.log("sessions.jsonl").rows():
        if row["stage"] != stage:
            continue
        match row["event"]:
            case "tick":
                last = row.get("seconds", 0.0)
            case "stop":
                total, last = total + row.get("seconds", 0.0), 0.0
            case _:
                total, last = total + last, 0.0
    return total + last


def resume_command(out: Path) -> str:
    """The command that continues this process's run in `out`: the one it was started with, plus what is missing."""
    words = typed()
    if not any(word == "--out" or word.startswith("--out=") for word in words):
        words += ["--out", str(out)]
    if "--resume" not in words:
        words.append("--resume")
    return shlex.join(words)


@contextmanager
def signals_interrupt() -> Iterator[None]:
    """SIGTERM and SIGHUP raise KeyboardInterrupt in the block, as Ctrl-C does, so that all end a run in the same clean way.

    A signal that is ignored (SIGHUP under nohup) stays ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    changed = {number: handler for number, handler in before.items() if handler not in (signal.SIG_IGN, None)}
    for number in changed:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in changed.items():
            signal.signal(number, handler)
