"""Every command of `tasknas`, and the help that lists them: methods of the task packages, and the commands of `common.cli`."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from common.cli import ON_NETWORKS, ON_RUNS
from common.commands import Command, further_commands, run_commands
from common.errors import UserError
from common.extras import missing
from common.listing import TASK_NAMES
from common.look import data_command
from common.script import main, spoken_errors
from common.system import systems_of, task_packages

PROGRAM = "tasknas"
WIDEST = 100
"""Most columns of the help; a narrower terminal has fewer."""

HEAD = """\
tasknas searches a neural network for your task, on your data, within your compute budget.

usage: tasknas COMMAND [OPTIONS]; `tasknas COMMAND --help` lists the options.

Begin with `tasknas darts --recipe smoke`: a search on embedded images. It takes about a minute, needs no further package, and
prints the path of its report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A command.

    Attributes:
        name: what is typed.
        summary: one sentence for the help.
        run: runs a command line, given as its words from the name on.
    """

    name: str
    summary: str
    run: Callable[[Sequence[str]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Commands under a common title in the help."""

    title: str
    entries: tuple[Entry, ...]


def groups() -> list[Group]:
    """Every command, in the order of the help.

    Raises:
        UserError: a file of the user's hides a task package.
    """
    tasks = task_packages()
    systems = [system for task in tasks for system in systems_of(task)]
    further = {name: command for task in tasks for name, command in further_commands(task).items()}
    names = ", ".join(system.name for system in systems)
    describe = Entry(
        name="describe",
        summary=f"Print parameters and multiply-adds of an architecture as JSON, without training (of: {names}).",
        run=partial(run_commands, PROGRAM, systems),
    )
    data = Entry(
        name="data",
        summary=f"Print what a run would find in a data folder, or why it would refuse it, as JSON (of: {', '.join(tasks)}).",
        run=partial(_look, tasks),
    )
    return [
        *(Group(title=_title(task), entries=tuple(_methods(task))) for task in tasks),
        Group(title="Use a finished run", entries=tuple(_entries(ON_RUNS | further))),
        Group(title="Know data, networks and engines before a run", entries=(data, describe, *_entries(ON_NETWORKS))),
    ]


def _look(tasks: Sequence[str], argv: Sequence[str]) -> None:
    """Runs `data TASK ...`."""
    with spoken_errors():
        if argv[1:] and not argv[1].startswith("-") and argv[1] not in tasks:
            raise UserError(f"task {argv[1]!r} is not installed here; choose one of {', '.join(tasks)}")
    main(f"{PROGRAM} data", {task: data_command(task) for task in tasks}, argv[1:])


def _title(task: str) -> str:
    absent = f"; first run pip install 'tasknas[{task}]'" if missing(task) else ""
    return f"Search: {TASK_NAMES[task]}{absent}"


def _methods(task: str) -> Iterator[Entry]:
    systems = systems_of(task)
    for system in systems:
        for method in system.methods:
            summary = f"{method.title} ({method.authors}): {method.summary}."
            yield Entry(name=method.name, summary=summary, run=partial(run_commands, PROGRAM, systems))


def _entries(commands: Mapping[str, Command]) -> Iterator[Entry]:
    for name, command in commands.items():
        summary = " ".join((command.__doc__ or "").split("\n\n")[0].split())
        yield Entry(name=name, summary=summary, run=partial(main, PROGRAM, {name: command}))


def help_text() -> str:
    """What `tasknas --help` prints."""
    width = min(WIDEST, shutil.get_terminal_size((80, 24)).columns)
    listed = groups()
    column = 4 + max(len(entry.name) for group in listed for entry in group.entries)
    parts = [*(textwrap.fill(paragraph, width) for paragraph in HEAD.split("\n\n"))]
    for group in listed:
        lines = [group.title]
        for entry in group.entries:
            first = f"  {entry.name}".ljust(column)
            lines.append(textwrap.fill(entry.summary, width, initial_indent=first, subsequent_indent=" " * column))
        parts.append("\n".join(lines))
    return "\n\n".join([*parts, "  --version".ljust(column) + "Print the version."])
