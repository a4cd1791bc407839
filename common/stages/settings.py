"""Settings that every search has, as plain data: recipes are made of them, and `--help` reads them without torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from common.errors import UserError
from common.train.optim import OptimSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class StopSettings:
    """When training ends before its last step; the network then has its best weights."""

    metric: str = "loss"
    """The validation score that is watched; the lowest is best if it is a loss, else the highest."""
    patience: int = 100
    """Steps without a better score before training ends."""
    every: int = 1
    """Steps between two looks."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: a value is out of range.
        """
        check_least(self, "stop", ("patience", "every"), 1)

    @property
    def highest(self) -> bool:
        """Whether the highest score is best."""
        return "loss" not in self.metric


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseSettings:
    """One phase of training: so many steps on one kind of batch."""

    steps: int
    """Optimiser steps; 0 leaves the phase out."""
    batch: int
    """Images (or graphs) in a step."""
    optim: OptimSettings
    stop: StopSettings | None = None
    """When a network that is trained alone stops early; none trains all steps."""

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
class ScratchSettings:
    """A search among candidates that are trained alone, one after the other."""

    engine: Literal["random", "evolution", "reinforce", "halving"] = "random"
    """Random search, aging evolution, REINFORCE with an LSTM, or successive halving."""
    trials: int = 50
    """Trainings in all; of halving: brackets are begun until there are as many."""
    fidelity: float = 1.0
    """Share of the training steps that a candidate gets, in (0, 1]; of halving see `shares`."""
    candidates: int = 32
    """Of halving: how many a bracket begins with."""
    shares: tuple[float, ...] = (0.25, 0.5, 1.0)
    """Of halving: shares of the training steps, rising."""
    eta: int = 3
    """Of halving: one candidate in so many goes on to the next share."""
    cuts: int = 1
    """Cuts of training and validation data that a candidate is trained on, its score the mean: the task's own, then others.
    With several of them every training has all steps, and a share (`fidelity`, `shares`) is one of the cuts."""
    parents: int = 0
    """Of halving: so many of the best are mutated for the brackets after the first; 0 draws those at random."""
    population: int = 20
    """Of evolution: how many of the youngest candidates are alive."""
    tournament: int = 5
    """Of evolution: how many of them compete to be the parent."""
    children: int = 2
    """Of evolution and REINFORCE: candidates that are made at once."""
    rate: float = 3.5e-4
    """Of REINFORCE: the learning rate; GraphNAS's by default (1904.09981)."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: a value is out of range.
        """
        check_least(self, "search", ("trials", "population", "tournament", "children", "candidates", "cuts"), 1)
        check_least(self, "search", ("parents",), 0)
        check_least(self, "search", ("eta",), 2)
        if not self.shares or list(self.shares) != sorted(set(self.shares)) or not 0 < self.shares[0] <= self.shares[-1] <= 1:
            raise UserError(f"search.shares={self.shares}: give rising shares of the training steps, above 0 and at most 1")
        if not 0 < self.fidelity <= 1:
            raise UserError(f"search.fidelity={self.fidelity}: give a share of the training steps above 0 and at most 1")
        if not self.rate > 0:
            raise UserError(f"search.rate={self.rate}: give a learning rate above 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class TuneSettings:
    """Which settings of training are tuned for every network that is trained alone, on the validation split."""

    grid: dict[str, tuple[float, ...]]
    """Setting by its name in config.json -> values; every combination is tried. Nothing is tuned if it is empty."""
    most: int = 0
    """So many combinations at most, drawn once for all networks (Bergstra and Bengio 2012); 0 tries all."""
    seeds: int = 1
    """Trainings of each combination."""
    cuts: int = 1
    """Cuts of training and validation data that each of them is on, its score the mean: the task's own, then others."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: a value is out of range.
        """
        check_least(self, "tune", ("seeds", "cuts"), 1)
        check_least(self, "tune", ("most",), 0)
        if empty := [name for name, values in self.grid.items() if not values]:
            raise UserError(f"tune.grid: {empty[0]} has no values; give one or more, or leave it out")


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
