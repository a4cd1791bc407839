"""What the stages of a run share: the task, the folder, the workers, and the hard constraints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from common.arch import from_labels
from common.objective import Constraint
from common.search.base import Unseen
from common.space import Arch
from common.stages.workers import TaskFactory
from common.streams import stream

if TYPE_CHECKING:
    from common.evaluate.pool import LocalPool
    from common.run.folder import RunFolder
    from common.run.progress import Progress
    from common.task import Task


class Named(Protocol):
    """A stage, as another one refers to it."""

    @property
    def name(self) -> str:
        """Names the stage in the run folder."""
        ...


@dataclass(frozen=True, slots=True)
class ByName:
    """A stage of which the name is known alone."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What every stage of a run works with."""

    task: Task
    factory: TaskFactory
    folder: RunFolder
    progress: Progress
    pool: LocalPool
    seed: int
    device: str
    constraints: Sequence[Constraint]
    save_every: int = 200
    """Training steps between two checkpoints."""

    def weights(self, phase: str) -> Path:
        """Where the supernet's weights after a phase are."""
        return self.folder.path / "weights" / f"{phase}.safetensors"

    def found(self, stage: Named) -> Arch:
        """The architecture that a search stage found."""
        return from_labels(self.task.space, self.folder.result_of(stage.name, "arch"), f"result of stage {stage.name!r}")

    def feasible(self, arch: Arch) -> bool:
        """Whether an architecture keeps every hard constraint."""
        return keeps(self.task, self.constraints, arch)


def check_feasible(task: Task, constraints: Sequence[Constraint], seed: int) -> None:
    """Refuses constraints that a search would find nothing under, before anything is trained.

    Raises:
        UserError: no architecture keeps them all, or none was found to.
    """
    if constraints:
        Unseen(task.space, partial(keeps, task, constraints), constraint_text(constraints)).sample(stream(seed, "feasible"))


def keeps(task: Task, constraints: Sequence[Constraint], arch: Arch) -> bool:
    """Whether an architecture keeps every hard constraint."""
    if not constraints:
        return True
    costs = task.costs(arch)
    return all(rule.holds(costs) for rule in constraints)


def excess_of(task: Task, constraints: Sequence[Constraint], arch: Arch) -> float:
    """By how much an architecture breaks hard constraints, of one at least; 0 or less where it keeps all."""
    costs = task.costs(arch)
    return max(rule.excess(costs) for rule in constraints)


def constraint_text(constraints: Sequence[Constraint]) -> str:
    """The constraints as an error message names them."""
    return " and ".join(map(str, constraints))
