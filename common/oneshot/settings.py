"""The settings of a one-shot search, as plain data: recipes are made of them, and `--help` reads them without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from common.errors import UserError
from common.train.optim import OptimSettings

Paths = Literal["uniform", "fair", "cost-bins", "sandwich", "baseline"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseSettings:
    """One phase of training: so many steps on one kind of batch."""

    steps: int
    """Optimiser steps; 0 leaves the phase out."""
    batch: int
    """Images in a step."""
    optim: OptimSettings
    paths: Paths = "uniform"
    """Which paths a step of a supernet trains; `baseline` trains the hand-made path alone."""
    bins: tuple[float, ...] = ()
    """Ascending edges of the cost bins that `cost-bins` draws from, in backbone MACs."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: a value is out of range.
        """
        if self.steps < 0 or self.batch < 1:
            raise UserError(f"a phase of {self.steps} steps of {self.batch} images: give 0 or more steps of 1 or more images")
        if (self.paths == "cost-bins") != bool(self.bins):
            raise UserError(f"paths={self.paths!r} with bins={self.bins}: bins belong to cost-bins; give both or neither")


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSettings:
    """Evolution over the paths of a trained supernet (DetNAS's defaults)."""

    generations: int = 20
    """Generations, the random first one included."""
    population: int = 50
    """Candidates in a generation."""
    mutants: int = 20
    """Mutants wanted in a generation."""
    crossovers: int = 20
    """Crossovers wanted in a generation; random architectures fill the rest."""
    parents: int = 10
    """The best candidates so far, from which parents are drawn."""
    rate: float = 0.1
    """Probability that a mutation draws a gene anew."""
    calibration_batches: int = 500
    """Training batches that re-estimate BatchNorm statistics before a candidate is judged."""
    calibration_batch: int = 8
    """Images in each of them."""
    images: int | None = None
    """Validation images a candidate is judged on; all by default."""
    random_baseline: bool = True
    """Whether random search gets the same number of candidates, to be drawn beside the search."""

    @property
    def trials(self) -> int:
        """Candidates in all."""
        return self.generations * self.population


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrainSettings:
    """What is trained alone after the search, each with the same budget and seeds."""

    random_archs: int = 3
    """Random architectures that the winner is compared with."""
    seeds: int = 3
    """Trainings of each network."""
