"""The command `latency-table`: a space's options measured on this machine, and how well the table predicts."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from common.cost.table import Errors, build_table, errors
from common.errors import UserError
from common.run.files import write_atomic
from common.stages.reload import reload
from common.supernet import Supernet, opened
from common.system import system_of

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is measured.

    Attributes:
        description: of the networks, with open decisions.
        build: description -> module.
        inputs: of a network.
        shared: whether `build` makes a supernet of the opened description; else whole networks are timed.
    """

    description: Any
    build: Callable[[Any], nn.Module]
    inputs: tuple[Tensor, ...]
    shared: bool = True

    @classmethod
    def of_run(cls, run: Path) -> Subject:
        """The space and the inputs of a run.

        Raises:
            UserError: the run cannot be reloaded.
        """
        reloaded = reload(run)
        return cls(
            description=reloaded.described,
            build=reloaded.build,
            inputs=reloaded.facts.example(),
            shared=reloaded.networks.has_supernet,
        )

    @classmethod
    def of_system(cls, task: str, name: str, space: str) -> Subject:
        """One of a system's own spaces.

        Raises:
            UserError: there is no such task, system or space.
        """
        system = system_of(task, name, "latency-table")
        spaces = system.spaces()
        if space not in spaces:
            known = f"choose one of {', '.join(spaces)}" if spaces else "give a run folder"
            raise UserError(f"latency-table: {name} has no space {space!r}; {known}")
        return cls(description=spaces[space], build=system.build, inputs=system.example(space))


class _Whole:
    """In the place of a supernet: no part of it can be timed alone."""

    def __init__(self, subject: Subject) -> None:
        self.module = nn.Module()
        self.space = subject.description


def measured(subject: Subject, target: Path, *, repeats: int, archs: int, device: str, threads: int) -> Errors:
    """Writes the latency table of a space, with its check, as one file.

    Args:
        subject: what is measured.
        target: file to write; nothing is written before the check is done.
        repeats: timed passes for each entry.
        archs: random architectures that the prediction is checked on.
        device: where to measure.
        threads: torch threads.

    Returns:
        The errors of the table, which are in the file too.

    Raises:
        UserError: a rule of the space forbids options on their own, or the file cannot be written.
    """
    torch.set_num_threads(threads)
    supernet = Supernet(subject.build(opened(subject.description)), subject.description) if subject.shared else _Whole(subject)
    table = build_table(supernet, subject.inputs, subject.build, repeats=repeats, device=device, observe=print)
    found = errors(table, supernet, subject.inputs, subject.build, n=archs, repeats=repeats, device=device)
    write_atomic(target, replace(table, check=asdict(found)).text().encode())
    return found


def say(target: Path, found: Errors) -> None:
    """Prints how well a table predicts; a table that fails its own check is a warning on standard error as well."""
    print(
        f"{target}: predictions of {found.n} random architectures are off by {found.median_percent:.1f} % (median), "
        f"rank correlation {found.spearman:.2f}"
    )
    if faults := found.faults():
        print(
            f"warning: {target} has failed its check, with {' and '.join(faults)}: choose no network by it. Measure again on an "
            "idle machine with more --repeats and --archs. If the check fails again, options of this space change each other's "
            "time, and only whole networks can be timed",
            file=sys.stderr,
        )
