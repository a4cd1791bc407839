"""How a gradient-based search drops options as it goes on, as plain data. No torch here: `--help` reads it."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Literal

from common.errors import UserError


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowSettings:
    """One of several searches in a row, each with a new supernet in which fewer options of each decision are left: P-DARTS."""

    keep: int
    """Options of each decision that are left at its end, those of the largest probability; 1 of the last search, from which the
    architecture is derived."""
    overrides: tuple[str, ...] = ()
    """Settings of this search, as `--set` takes them: `space.cells=11`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShrinkSettings:
    """Options that are dropped in the course of one search, in which the weights of those that are left are kept: DA-NAS."""

    at: tuple[float, ...]
    """Shares of the search at which options are dropped, ascending, above 0 and below 1."""
    keep: tuple[int, ...]
    """Options of each decision that are left then, descending."""
    curriculum: tuple[float, ...] = ()
    """Shares of the classes, the easiest first, that the search sees before, between and after these times, in a task that
    classifies. None: all classes from the beginning."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: the parts do not go together, or are in another order.
        """
        good = len(self.at) == len(self.keep) > 0 and list(self.at) == sorted(set(self.at)) and self.at[0] > 0 and self.at[-1] < 1
        if not good or list(self.keep) != sorted(set(self.keep), reverse=True):
            raise UserError(
                f"search.engine.shrink: at={list(self.at)}, keep={list(self.keep)}: give as many of both, shares that ascend "
                "between 0 and 1, options that descend"
            )
        shares = list(self.curriculum)
        if shares and (shares != sorted(shares) or shares[0] <= 0 or shares[-1] != 1 or len(shares) != len(self.at) + 1):
            raise UserError(
                f"search.engine.shrink.curriculum={shares}: give {len(self.at) + 1} shares of the classes, one for each part of "
                "the search, above 0, that ascend to 1"
            )
        if shares and shares[0] == 1:
            raise UserError(f"search.engine.shrink.curriculum={shares}: all classes from the beginning; give fewer, or []")
        if self.keep[-1] < 1:
            raise UserError(f"search.engine.shrink.keep={list(self.keep)}: a decision needs an option; end with 1 or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneSettings:
    """Members that are dropped one by one under a growing price of their cost: GOLD-NAS (arXiv 2007.03331, section 3.3).

    The paper's thresholds and increments were not at hand; these are reconstructions, all of them.
    """

    every: int
    """Steps between two rounds."""
    threshold: float = 0.05
    """Gates below it are dropped."""
    most: int = 4
    """Members dropped in a round, at most; where fewer are dropped the price rises faster, else it falls."""
    price: float = 1e-3
    """Increment of the price of all members together, in units of the loss."""
    by_cost: float = 0.5
    """Share of the price that is in proportion to a member's MACs; the rest is the same for all."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: a value is out of range.
        """
        for name, holds, rule in (
            ("every", self.every >= 1, "1 or more"),
            ("threshold", 0 < self.threshold < 0.5, "a number above 0 and below 0.5, where gates begin"),
            ("most", self.most >= 1, "1 or more"),
            ("price", self.price > 0, "a number above 0"),
            ("by_cost", 0 <= self.by_cost <= 1, "a number from 0 to 1"),
        ):
            if not holds:
                raise UserError(f"search.engine.prune.{name}={getattr(self, name)}: give {rule}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectSettings:
    """Decisions that are settled one after the other by what their options are worth: DARTS-PT (arXiv 2108.04392)."""

    begin: float = 0.7
    """Share of the search after which it begins; the rest is divided equally among the decisions."""
    items: int = 1000
    """Validation items on which the search network is scored without each option."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: a value is out of range.
        """
        if not 0 <= self.begin < 1:
            raise UserError(f"search.engine.project.begin={self.begin}: give a share from 0 to below 1")
        if self.items < 1:
            raise UserError(f"search.engine.project.items={self.items}: give 1 or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class AbandonSettings:
    """Options that are abandoned one by one, by the scores of sub-networks that use each of them once.

    The search of BNAS (Beihang, arXiv 1911.10862), ABanditNAS and CP-NAS (arXiv 2005.00057); see
    `common.differentiable.abandoning`.
    """

    passes: int = 3
    """Passes of a round. A pass trains and scores every option that is left once; after a round each decision loses an option."""
    rule: Literal["mean", "bandit"] = "mean"
    """Value by which options are abandoned: the mean score of the round (BNAS, CP-NAS), or the upper bound of a running value
    (ABanditNAS)."""
    keep: float = 0.7
    """Weight of the newest score in the running value of `bandit`, above 0 and at most 1: lambda in its paper."""
    items: int = 1000
    """Validation items on which a sub-network is scored."""
    calibration_batches: int = 4
    """Batches on which the statistics of normalisations are estimated anew for the sub-network before it is scored: the running
    ones are of other sub-networks. 0: it is scored with those."""
    calibration_batch: int = 64
    """Training items of each of these batches."""
    parent: float | None = None
    """Factor beta of CP-NAS, for a network of a child and a parent (`common.paired`): the score is
    beta (A_parent - A_child) + A_child. `None`: the score of the network. The paper has 2; 0 trains the parent, and scores the
    child alone."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: a value is out of range, or is not read.
        """
        for name, holds, rule in (
            ("passes", self.passes >= 1, "1 or more"),
            ("keep", 0 < self.keep <= 1, "a number above 0 and at most 1"),
            ("items", self.items >= 1, "1 or more"),
            ("calibration_batches", self.calibration_batches >= 0, "0 or more"),
            ("calibration_batch", self.calibration_batch >= 1, "1 or more"),
            ("parent", self.parent is None or isfinite(self.parent), "a number, 2 say, or null"),
        ):
            if not holds:
                raise UserError(f"search.engine.abandon.{name}={getattr(self, name)}: give {rule}")
        if self.keep != 0.7 and self.rule != "bandit":
            raise UserError(
                f"search.engine.abandon.keep={self.keep:g} with rule={self.rule}: it weighs the scores of bandit; leave it 0.7"
            )

    def samples(self, options: int) -> int:
        """Number of sub-networks that are trained and scored until one of `options` options of each decision is left.

        >>> AbandonSettings(passes=3).samples(8)
        105
        """
        return self.passes * sum(range(2, options + 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeSettings:
    """Options that stop learning where their gradients on training and validation data disagree: OLES (NeurIPS 2023)."""

    every: int = 20
    """Steps over which the cosine of both gradients is averaged."""
    threshold: float = 0.4
    """Options with a lower mean keep their weights from then on."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: a value is out of range.
        """
        if self.every < 1:
            raise UserError(f"search.engine.freeze.every={self.every}: give 1 or more")
        if not -1 < self.threshold <= 1:
            raise UserError(f"search.engine.freeze.threshold={self.threshold}: a cosine; give a number above -1 and at most 1")
