"""A run is a list of stages: each is done once, and what it gave is kept for the next process that opens the run."""

from __future__ import annotations

import shlex
import signal
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar, runtime_checkable

from common.invocation import typed
from common.run.environment import variables, versions
from common.run.files import disk_errors

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from types import FrameType

    from common.run.folder import RunFolder
    from common.run.progress import Progress

STOPPED = 130
"""Exit status of a run that was stopped with Ctrl-C or SIGTERM."""

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
        SystemExit: with status 130, after Ctrl-C or SIGTERM; the command to go on is on standard error.
        UserError: the disk is full or cannot be written.
    """
    results: dict[str, dict[str, Any]] = {}
    name = ""
    try:
        with sigterm_interrupts(), disk_errors(folder.path, "everything finished so far is kept"):
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
    except KeyboardInterrupt:
        print(
            f"\nStopped in stage {name!r}; everything finished so far is kept. To continue:\n  {command}",
            file=sys.stderr,
            flush=True,
        )
        raise SystemExit(STOPPED) from None
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
    work.append({"stage": stage.name, "event": "start", "at": time.time()})
    began = time.monotonic()
    try:
        result = stage.run(context)
    except BaseException:
        work.append({"stage": stage.name, "event": "stop", "seconds": time.monotonic() - began})
        raise
    folder.finish(stage.name, result, before + time.monotonic() - began)


def seconds_before(folder: RunFolder, stage: str) -> float:
    """Wall-clock seconds that earlier processes spent on `stage`.

    A process that was killed could not write its time down: the last change to any file of the run stands in for its end. What
    it says is written down as that process's stop, so that the next change to a file does not count.
    """
    log = folder.log("sessions.jsonl")
    rows = [row for row in log.rows() if row["stage"] == stage]
    if rows and rows[-1]["event"] == "start":
        lost = max(0.0, _last_change(folder.path) - rows[-1]["at"])
        rows.append({"stage": stage, "event": "stop", "seconds": lost})
        log.append(rows[-1])
    return sum(row["seconds"] for row in rows if row["event"] == "stop")


def _last_change(path: Path) -> float:
    """Time of the newest change to a file below `path`, the lock apart: opening the run changes that."""
    return max((p.stat().st_mtime for p in path.rglob("*") if p.is_file() and not p.name.startswith(".")), default=0.0)


def resume_command(out: Path) -> str:
    """The command that continues this process's run in `out`: the one it was started with, plus what is missing."""
    words = typed()
    if not any(word == "--out" or word.startswith("--out=") for word in words):
        words += ["--out", str(out)]
    if "--resume" not in words:
        words.append("--resume")
    return shlex.join(words)


@contextmanager
def sigterm_interrupts() -> Iterator[None]:
    """SIGTERM raises KeyboardInterrupt in the block, as Ctrl-C does, so that both end a run in the same clean way."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
