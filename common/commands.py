"""The train script of a task package, made from the systems it lists: a command for every method, `describe` and `data`."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Any

import tyro

from common import reference
from common.errors import UserError
from common.listing import settings_summary
from common.look import data_command
from common.options import DescribeOptions, RunOptions, settings_of
from common.script import main, spoken_errors
from common.system import Method, System

Command = Callable[..., None]


def run_script(task: str, systems: Sequence[System], more: Mapping[str, Command] | None = None) -> None:
    """Runs the command line of this process: `python -m TASK.train COMMAND ...`.

    Args:
        task: name of the package.
        systems: those that the package lists.
        more: further commands by name.
    """
    run_commands(f"python -m {task}.train", systems, sys.argv[1:], more)


def run_commands(command: str, systems: Sequence[System], argv: Sequence[str], more: Mapping[str, Command] | None = None) -> None:
    """Runs one command line; see `run_script`.

    Args:
        command: how the script is called, for its help.
        systems: what can be run and described.
        argv: words after the script's name.
        more: further commands by name.
    """
    if list(argv[:1]) == ["describe"]:
        with spoken_errors():
            _check_described(argv[1:2], systems)
        main(f"{command} describe", {system.name: describe_command(system) for system in systems}, argv[1:])
    else:
        bare = _bare(argv)
        main(command, commands_of(systems, argv[0] if argv else "", keys=bare) | dict(more or {}), argv)


def _bare(words: Sequence[str]) -> bool:
    """Whether `--set` stands without a word behind it."""
    return any(word == "--set" and after.startswith("--") for word, after in pairwise([*words, "--"]))


def _check_described(words: Sequence[str], systems: Sequence[System]) -> None:
    names = [system.name for system in systems]
    of = {method.name: system.name for system in systems for method in system.methods}
    for word in words:
        if word not in names and word in of:
            raise UserError(f"{word!r} is a method of the system {of[word]}, whose networks are described: describe {of[word]}")
        if not word.startswith("-") and word not in names:
            raise UserError(f"system {word!r} does not exist; choose one of {', '.join(names)}")


def further_commands(task: str) -> Mapping[str, Command]:
    """Commands of a task package besides those of its systems: `MORE` of its train script, where it has one."""
    commands: Mapping[str, Command] = getattr(importlib.import_module(f"{task}.train"), "MORE", {})
    return commands


def commands_of(systems: Sequence[System], chosen: str = "", *, keys: bool = False) -> dict[str, Command]:
    """Method name -> its command, `describe` and `data`.

    Args:
        systems: what can be run and described.
        chosen: the method whose help lists every engine with its settings.
        keys: whether methods list their settings instead of running.
    """
    found = {m.name: run_command(system, m, listed=m.name == chosen, keys=keys) for system in systems for m in system.methods}
    return found | {"describe": _describe(systems), "data": data_command(systems[0].package)}


def run_command(system: System, method: Method, *, listed: bool, keys: bool) -> Command:
    """The command that runs a method: its options are those of the system, its help is the method's summary.

    Args:
        system: of the method.
        method: what is run.
        listed: whether the help lists every engine and evaluation with their settings.
        keys: whether the command lists its settings instead of running.
    """

    def command(run: RunOptions) -> None:
        settings: Any = settings_of(method.recipes, run)
        if run.print_config or keys:
            print(reference.explained(settings) if run.print_config else reference.keys(settings))
            return
        settings.data.check()
        from common.stages.run import run as run_system

        print(run_system(system, method, settings, run))

    paper = method.paper.replace("arXiv:", "arXiv ")
    summary = f"{method.title}: {method.summary} ({paper})."
    engines = f"{settings_summary()}\n\n" if listed else ""
    command.__doc__ = f"{summary}\n\n{engines}Args:\n    run: what to run, where and how."
    command.__annotations__ = {"run": system.options, "return": None}
    return command


def describe_command(system: System) -> Command:
    """The command that prints what the system says of an architecture: its options are the fields of `system.describing`."""

    def command(architecture: DescribeOptions) -> None:
        print(json.dumps(system.described(architecture), indent=2))

    command.__doc__ = (
        f"Parameters and MACs of an architecture of {system.methods[0].title} as one JSON object, without training.\n\n"
        "Args:\n    architecture: which one."
    )
    command.__annotations__ = {"architecture": system.describing, "return": None}
    return command


def _describe(systems: Sequence[System]) -> Command:
    names = ", ".join(system.name for system in systems)

    def describe(system: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="SYSTEM")]) -> None:
        """Stands in the list of commands; `run_commands` runs the command of the system instead."""

    describe.__doc__ = (
        f"Parameters and MACs of an architecture as one JSON object, without training (of: {names}).\n\nArgs:\n"
        f"    system: {names}; `describe SYSTEM --help` lists the options of each."
    )
    return describe
