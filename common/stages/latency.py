"""The command `latency-table`: a space's options measured on this machine, and how well the table predicts."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from common.cost.conditions import conditions_of
from common.cost.expected import complete
from common.cost.measuring import build_table, errors
from common.cost.table import Errors
from common.errors import UserError
from common.run.files import write_atomic
from common.stages.reload import reload
from common.supernet import Supernet, opened
from common.system import system_of
from common.system_task import SystemTask

if TYPE_CHECKING:
    from torch import Tensor

    from common.task import Networks


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is measured.

    Attributes:
        description: of the networks, with open decisions.
        build: description -> module.
        inputs: of a network.
        shared: whether `build` makes a supernet of the opened description; else whole networks are timed.
        pairs: decisions whose options are timed together as well.
    """

    description: Any
    build: Callable[[Any], nn.Module]
    inputs: tuple[Tensor, ...]
    shared: bool = True
    pairs: Sequence[tuple[str, str]] = ()

    @classmethod
    def of_run(cls, run: Path, *, pairs: bool = False, deployed: bool = False) -> Subject:
        """The space and the inputs of a run.

        Args:
            run: its folder.
            pairs: whether decisions that meet in a layer are timed together.
            deployed: whether networks are timed as they are deployed, packed say.

        Raises:
            UserError: the run cannot be reloaded, or is of a system whose networks have no such pairs or no deployed form.
        """
        reloaded = reload(run)
        build, pack = reloaded.build, reloaded.deployed
        if deployed and (pack is None or pack is SystemTask.deployed):
            raise UserError(f"--deployed: networks of {run} are deployed as they are; leave the option out")
        return cls(
            description=reloaded.described,
            build=(lambda description: pack(build(description))) if deployed and pack is not None else build,
            inputs=reloaded.facts.example(),
            shared=reloaded.networks.has_supernet and not deployed,
            pairs=meeting(reloaded.networks, reloaded.described, run) if pairs else (),
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


def meeting(networks: Networks, described: Any, run: Path) -> list[tuple[str, str]]:
    """The pairs of decisions that one cost of a layer depends on together, where each of them is in every architecture.

    Raises:
        UserError: the costs of the system's networks are no sums of such parts.
    """
    priced = None if networks.price is None else networks.price("params")
    if priced is None:
        raise UserError(f"--pairs: {run} is of a system whose costs do not tell which decisions meet; leave the option out")
    complete(priced[0])
    always = [path for path, condition in conditions_of(described).items() if condition is None]
    found = {pair for paths in priced[0].tables for pair in combinations([path for path in always if path in paths], 2)}
    return sorted(found, key=lambda pair: (always.index(pair[0]), always.index(pair[1])))


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
    table = build_table(
        supernet, subject.inputs, subject.build, repeats=repeats, device=device, observe=print, pairs=subject.pairs
    )
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
            "time: give --pairs, which times options of decisions that meet in a layer together",
            file=sys.stderr,
        )
