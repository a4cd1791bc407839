"""Where a run is: a live line on a terminal, plain lines in a file or a pipe, nothing when quiet."""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress import Progress as Live

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TextIO


@dataclass(slots=True)
class Bar:
    """The progress of one stage.

    Attributes:
        total: Steps or trials in all; None when unknown.
        done: Steps or trials done.
        values: What was last reported, in words.
    """

    total: int | None
    done: int
    changed: Callable[[Bar], None]
    values: dict[str, str] = field(default_factory=dict)

    def advance(
        self,
        n: int = 1,
        *,
        best: float | None = None,
        front: int | None = None,
        loss: float | None = None,
        note: str | None = None,
    ) -> None:
        """Counts `n` more steps or trials; a value that is not given keeps its last one.

        Args:
            n: how many more are done.
            best: best score so far.
            front: size of the Pareto front so far.
            loss: training loss.
            note: anything else worth a word.
        """
        self.done += n
        given = {"best": best, "front": front, "loss": loss, "note": note}
        for name, value in given.items():
            if value is not None:
                self.values[name] = (
                    value if isinstance(value, str) else f"{value:.4g}" if isinstance(value, float) else str(value)
                )
        self.changed(self)

    def words(self) -> str:
        """The last values on one line."""
        return "  ".join(value if name == "note" else f"{name} {value}" for name, value in self.values.items())


class Progress:
    """Reports stages to `stream` (standard output): live where it is a terminal, otherwise in plain lines."""

    def __init__(
        self,
        *,
        quiet: bool = False,
        stream: TextIO | None = None,
        interval: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Makes a reporter.

        Args:
            quiet: report nothing.
            stream: where to; standard output by default.
            interval: least seconds between two plain lines of a stage.
            clock: seconds, for tests.
        """
        self._quiet = quiet
        self._stream = stream or sys.stdout
        self._interval = interval
        self._clock = clock
        self._place = ""
        self._live = self._stream.isatty() and os.environ.get("TERM") != "dumb" and not quiet
        # rich itself honours NO_COLOR; plain lines hold no control characters at all
        self._console = Console(file=self._stream, highlight=False) if self._live else None

    def place(self, index: int, count: int) -> None:
        """Stages from now on are number `index` (from 1) of `count`."""
        self._place = f"[{index}/{count}] "

    def say(self, text: str) -> None:
        """One line, above the live one if there is one."""
        if self._quiet:
            return
        if self._console:
            self._console.print(text, markup=False)
        else:
            print(text, file=self._stream, flush=True)

    @contextmanager
    def stage(self, name: str, total: int | None = None, done: int = 0) -> Iterator[Bar]:
        """Reports one stage while the `with` block runs.

        Args:
            name: what is done, in a word or two.
            total: steps or trials in all; None when unknown.
            done: how many of them are done already, on a resume.
        """
        shown = self._live_stage if self._console else self._plain_stage
        with shown(f"{self._place}{name}", total, done) as bar:
            yield bar

    @contextmanager
    def _live_stage(self, title: str, total: int | None, done: int) -> Iterator[Bar]:
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[words]}", markup=False),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}", markup=False),  # rich's own forgets steps of more than half a minute
        )
        began = self._clock()
        with Live(*columns, console=self._console, transient=True) as live:
            task: TaskID = live.add_task(title, total=total, completed=done, words="", left="")

            def changed(bar: Bar) -> None:
                left = _left(bar, done, self._clock() - began)
                live.update(task, completed=bar.done, words=bar.words(), left=left)

            bar = Bar(total, done, changed)
            yield bar
        self.say(_ended(title, bar, self._clock() - began))

    @contextmanager
    def _plain_stage(self, title: str, total: int | None, done: int) -> Iterator[Bar]:
        began = last = self._clock()

        def changed(bar: Bar) -> None:
            nonlocal last
            now = self._clock()
            if now - last >= self._interval and bar.done != bar.total:
                last = now
                self.say("  ".join(filter(None, (f"{title}: {_count(bar)}", bar.words(), _left(bar, done, now - began)))))

        self.say(f"{title}: started" + (f", {done} of {total} done before" if done else ""))
        bar = Bar(total, done, changed)
        yield bar
        self.say(_ended(title, bar, self._clock() - began))


def duration(seconds: float) -> str:
    """Seconds in words: `4.2 s`, `3 min 10 s`, `2 h 05 min`.

    >>> duration(4.21), duration(190), duration(7500)
    ('4.2 s', '3 min 10 s', '2 h 05 min')
    """
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def _count(bar: Bar) -> str:
    return str(bar.done) if bar.total is None else f"{bar.done}/{bar.total}"


def _left(bar: Bar, before: int, seconds: float) -> str:
    """The time left at the pace of this process; what was done before a resume took none of it."""
    if bar.total is None or bar.done <= before:
        return ""
    return f"{duration(seconds * (bar.total - bar.done) / (bar.done - before))} left"


def _ended(title: str, bar: Bar, seconds: float) -> str:
    counted = f", {_count(bar)}" if bar.total or bar.done else ""
    return "  ".join(filter(None, (f"{title}: done in {duration(seconds)}{counted}", bar.words())))
