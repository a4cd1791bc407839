"""Settings that every search has, as plain data: recipes are made of them, and `--help` reads them without torch."""

from __future__ import annotations

from collections.abc import Iterable
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


def check_least(settings: object, prefix: str, names: Iterable[str], least: int) -> None:
    """Refuses settings below `least`.

    Raises:
        UserError: names the setting as `--set` does.
    """
    for name in names:
        if getattr(settings, name) < least:
            raise UserError(f"{prefix}.{name}={getattr(settings, name)}: give {least} or more")
