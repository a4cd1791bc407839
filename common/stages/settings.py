"""Settings that every search has, as plain data: recipes are made of them, and `--help` reads them without torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from common.errors import UserError
from common.train.optim import OptimSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseSettings:
    """One phase of training: so many steps on one kind of batch."""

    steps: int
    """Optimiser steps; 0 leaves the phase out."""
    batch: int
    """Images in a step."""
    optim: OptimSettings

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: a value is out of range.
        """
        if self.steps < 0 or self.batch < 1:
            raise UserError(f"a phase of {self.steps} steps of {self.batch} images: give 0 or more steps of 1 or more images")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrainSettings:
    """What is trained alone after the search, each with the same budget and seeds."""

    random_archs: int = 3
    """Random architectures that the winner is compared with."""
    seeds: int = 3
    """Trainings of each network."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: a value is out of range.
        """
        check_least(self, "retrain", ("random_archs",), 0)
        check_least(self, "retrain", ("seeds",), 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """What the settings of every system begin with. Together they are everything that decides what a run computes."""

    recipe: str
    """The recipe these settings began as."""
    budget: dict[str, float]
    """Hard upper limits on costs, each one that the task counts."""
    seed: int = 0
    """Of everything random."""
    threads: int = 1
    """Torch threads of each process; another number can change the last bits of a result."""
    pictures: int = 8
    """Sample predictions in the report."""
    save_every: int = 200
    """Training steps between two checkpoints; how much a killed run has to do again."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: a value is out of range.
        """
        check_least(self, "", ("save_every", "threads"), 1)
        check_least(self, "", ("pictures",), 0)

    def check_costs(self, known: Iterable[str], model: str) -> None:
        """Refuses a budget of anything but the costs in `known`, those of a `model`.

        Raises:
            UserError: names the budget.
        """
        known = tuple(known)
        for metric in self.budget:
            if metric not in known:
                raise UserError(f"budget {metric!r} is no cost of a {model}; limit {', '.join(known)}")


def check_trained(phases: Mapping[str, PhaseSettings], model: str) -> None:
    """Refuses phases (by the names that `--set` knows) that leave a `model` untrained.

    Raises:
        UserError: names the setting.
    """
    for name, phase in phases.items():
        if phase.steps < 1:
            raise UserError(f"{name}.steps={phase.steps}: a {model} must be trained; give 1 or more")


def check_least(settings: object, prefix: str, names: Iterable[str], least: int) -> None:
    """Refuses settings below `least`; `prefix` is the name of the settings they are part of, if any.

    Raises:
        UserError: names the setting as `--set` does.
    """
    at = f"{prefix}." if prefix else ""
    for name in names:
        if getattr(settings, name) < least:
            raise UserError(f"{at}{name}={getattr(settings, name)}: give {least} or more")
