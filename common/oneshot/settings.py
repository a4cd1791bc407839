"""The settings of a one-shot search, as plain data: recipes are made of them, and `--help` reads them without torch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from common.errors import UserError
from common.stages.settings import PhaseSettings, check_least

Paths = Literal["uniform", "fair", "cost-bins", "sandwich", "baseline", "largest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PathPhaseSettings(PhaseSettings):
    """One phase of a supernet's training, some paths of it at a step."""

    paths: Paths = "uniform"
    """Which paths a step trains; `baseline` trains the hand-made path alone, `largest` that of the largest options."""
    bins: tuple[float, ...] = ()
    """Ascending edges of the cost bins that `cost-bins` draws from."""
    bins_in: str = "macs"
    """The cost that the bins are in."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: a value is out of range.
        """
        PhaseSettings.__post_init__(self)
        if (self.paths == "cost-bins") != bool(self.bins):
            raise UserError(f"paths={self.paths!r} with bins={self.bins}: bins belong to cost-bins; give both or neither")
        if self.bins and (len(self.bins) < 2 or list(self.bins) != sorted(set(self.bins))):
            raise UserError(f"bins={self.bins}: give at least two ascending edges")


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSettings:
    """A search among the paths of a trained supernet: evolution (DetNAS's defaults), or all of them."""

    engine: Literal["evolution", "exhaustive"] = "evolution"
    """Evolution, or every architecture that keeps the budget."""
    small_first: float = 1.0
    """Of evolution: in its random first generation the last option of a decision is so many times as likely as the first, the
    others between them in equal steps; for spaces that list options from large to small, under a tight budget."""
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

    def __post_init__(self) -> None:
        """Checks ranges, before a supernet is trained for nothing.

        Raises:
            UserError: a value is out of range.
        """
        at_least_one = (
            "generations",
            "population",
            "parents",
            "calibration_batch",
            *(() if self.images is None else ("images",)),
        )
        check_least(self, "search", at_least_one, 1)
        check_least(self, "search", ("mutants", "crossovers", "calibration_batches"), 0)
        if self.mutants + self.crossovers > self.population:
            raise UserError(
                f"search.mutants={self.mutants} and search.crossovers={self.crossovers} do not fit "
                f"search.population={self.population}; enlarge it"
            )
        if not 0 < self.small_first < math.inf:
            raise UserError(f"search.small_first={self.small_first}: give a ratio above 0 that is a number")
        if not 0 <= self.rate <= 1:
            raise UserError(f"search.rate={self.rate}: a probability lies between 0 and 1")

    @property
    def trials(self) -> int:
        """Candidates of evolution in all."""
        return self.generations * self.population
