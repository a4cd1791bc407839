"""A system is one declaration: what a paper adds to its task. Runs, reloads, `describe`, the command line, make targets and the
README's table of systems are made from it. No torch here: functions that need it are `Deferred`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.deferred import Deferred
from common.errors import UserError
from common.options import DescribeOptions, RunOptions
from tasknas import hidden

if TYPE_CHECKING:
    from torch import Tensor, nn

    from common.run.stages import Stage
    from common.space import Arch
    from common.stages.context import Context
    from common.stages.settings import RunSettings
    from common.system_task import SystemTask
    from common.task import Kind, Networks, Phase

Stages = Callable[[Any], "Sequence[Stage[Context]]"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedNetwork:
    """A published architecture as a value of its space, with the counts that were published for it, if any.

    Attributes:
        description: gives the open description.
        arch: gives the architecture.
        params: published parameters.
        macs: published multiply-adds.
        costs: further published costs, by the names that `describe` prints.
    """

    description: Callable[[], Any]
    arch: Callable[[], Arch]
    params: int | None = None
    macs: int | None = None
    costs: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One published way to search the networks of a system: a command with its recipes.

    Attributes:
        name: what is typed on the command line.
        title: name in the paper.
        paper: publication, e.g. `arXiv:1903.10979`, or an address where there is no such number.
        authors: short citation, e.g. `Chen et al., NeurIPS 2019`.
        summary: one sentence for `--help`.
        recipes: name -> settings.
        stages: stages of its own, in place of those of the system.
    """

    name: str
    title: str
    paper: str
    authors: str
    summary: str
    recipes: Mapping[str, Callable[[], RunSettings]]
    stages: Stages | None = None


def no_notes(settings: RunSettings) -> Sequence[str]:
    """Nothing that a reader must know."""
    return ()


def no_spaces() -> Mapping[str, Any]:
    """No open descriptions: networks share no weights."""
    return {}


def none_published() -> Mapping[str, PublishedNetwork]:
    """No published architectures."""
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """A published system. Every one listed in a task's `SYSTEMS` is held to the laws by the contract tests.

    Attributes:
        name: name in run folders and for `describe`.
        task: the task's class, a `common.system_task.SystemTask`.
        settings: class of its settings, a dataclass that extends `RunSettings`.
        methods: its commands; one for most systems.
        networks: (settings, facts of the data) -> the networks of a run.
        phases: (task, kind) -> how networks are trained, in order; empty for a kind that the system does not train.
        notes: settings -> what a reader of the report must know.
        build: description -> module, for the laws: a network, or a supernet when opened.
        spaces: gives open descriptions by name, small enough for tests; none for a system whose networks share no weights, so
            that the laws of supernets do not apply.
        types: classes that configurations of the mm* package of the task can name.
        example: space name -> inputs of its networks, small enough for tests.
        published: published architectures by name.
        describe: options of the command -> the JSON object that `describe` prints; that of `common.describe` if None.
        describing: class of these options.
        stages: task -> stages of a run; the standard ones (`common.stages.standard`) if None.
        check: refuses data that do not fit the settings, before any work.
        options: class of its command-line options.
    """

    name: str
    task: Deferred
    settings: type[RunSettings]
    methods: Sequence[Method]
    networks: Callable[[Any, Any], Networks]
    phases: Callable[[Any, Kind], Sequence[Phase]]
    build: Callable[[Any], nn.Module]
    example: Callable[[str], tuple[Tensor, ...]]
    spaces: Callable[[], Mapping[str, Any]] = no_spaces
    notes: Callable[[Any], Sequence[str]] = no_notes
    published: Callable[[], Mapping[str, PublishedNetwork]] = none_published
    types: Sequence[Deferred] = ()
    describe: Callable[[Any], dict[str, Any]] | None = None
    stages: Stages | None = None
    check: Callable[[Any], None] | None = None
    options: type[RunOptions] = RunOptions
    describing: type[DescribeOptions] = DescribeOptions

    def described(self, options: DescribeOptions) -> dict[str, Any]:
        """The JSON object that `describe` prints.

        Raises:
            UserError: the text stands for no architecture.
        """
        if self.describe is not None:
            return self.describe(options)
        from common.describe import describe

        return describe(self, options.arch)

    @property
    def package(self) -> str:
        """The task package that its task is of; also the extra with what its runs need."""
        return self.task.package

    def method(self, name: str) -> Method:
        """The method of this name, which the system has."""
        return next(method for method in self.methods if method.name == name)

    def make(self, settings: RunSettings, weights: Path) -> SystemTask:
        """The task of a run.

        Args:
            settings: what to compute.
            weights: folder of the run's weights.

        Raises:
            UserError: the data cannot be used, or do not fit the settings.
        """
        return self.task(self, settings, weights)


def task_packages() -> list[str]:
    """The task packages that lie beside this one: those with a `systems.py`."""
    return sorted(path.parent.name for path in Path(__file__).parents[1].glob("*/systems.py"))


def systems_of(task: str) -> Sequence[System]:
    """The systems that a task package lists.

    Raises:
        UserError: a file of the user's hides the package.
    """
    if line := hidden.reason(task):
        raise UserError(line)
    systems: Sequence[System] = importlib.import_module(f"{task}.systems").SYSTEMS
    return systems


def system_of(task: str, name: str, source: str) -> System:
    """A system by the name of its task, and of itself or one of its methods.

    Args:
        task: name of the package.
        name: name of the system or of a method.
        source: what to call the origin of the names in an error.

    Raises:
        UserError: there is no such task or system.
    """
    if task not in task_packages():
        raise UserError(f"{source}: task {task!r} is not installed here; there is {', '.join(task_packages()) or 'none'}")
    systems = systems_of(task)
    for system in systems:
        if name == system.name or any(name == method.name for method in system.methods):
            return system
    known = dict.fromkeys(name for system in systems for name in (system.name, *(method.name for method in system.methods)))
    raise UserError(f"{source}: task {task} has no system {name!r}; it has {', '.join(known)}")
