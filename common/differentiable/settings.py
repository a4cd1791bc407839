"""The settings of a differentiable search, as plain data: recipes are made of them, and `--help` reads them without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from common.errors import UserError
from common.train.optim import ArchSettings

Kind = Literal["softmax", "sigmoid", "gumbel-softmax", "hard-gumbel", "annealed-gumbel", "one-gate", "two-gates", "one-hot"]
RuleName = Literal["one-level", "first-order", "second-order", "amended", "mixed-level"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightingSettings:
    """How logits become weights: see `common.relax.weightings` and `common.relax.gates`."""

    kind: Kind = "softmax"
    temperature: tuple[float, float] = (1.0, 1.0)
    """At the beginning and at the end, of the Gumbel weightings of SNAS and GDAS."""
    noise: tuple[float, float] = (1.0, 0.0)
    """Likewise the factor of annealed Gumbel noise."""
    shape: Literal["linear", "exponential"] = "linear"
    """How the temperature, or the noise, falls."""
    keep: float = 1.0
    """Share of the options that a softmax computes in a step, drawn uniformly."""
    kept: int = 1
    """How many options a one-hot weighting takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelaxedSearchSettings:
    """A differentiable search; its steps are those of the task's first supernet phase."""

    options: WeightingSettings
    """How operations are weighted."""
    members: WeightingSettings | None = None
    """How edges are; none sums them."""
    rule: RuleName = "first-order"
    """Which gradient the architecture follows, through the mixture."""
    reward: str | None = None
    """It follows that of the reward of what is drawn instead: what training tells by this name (accuracy, say; a loss is made
    small). See `common.relax.score_function`."""
    balance: float = 1.0
    """Of mixed-level: the validation gradient's factor."""
    arch: ArchSettings
    start: float = 0.0
    """Mean of the initial logits; 0.5 for one-hot."""
    std: float = 1e-3
    """Their standard deviation."""
    recompute: bool = False
    """Options are computed again in the backward pass: less memory, a third more time."""
    forbidden: tuple[str, ...] = ()
    """Labels of options that are not derived, `none` say."""
    threshold: float | None = None
    """Members weaker than this are not derived, where the space allows fewer."""
    snapshots: int = 50
    """How often the search is looked at, in equal distances: what the papers call epochs."""
    stop: Literal["never", "skips", "ranks"] = "never"
    """DARTS+: stop at two skips in the derived normal cell, or when the order of operations has settled for ten snapshots."""
    entropy: float = 0.0
    """Weight of the mean entropy of the decisions in the architecture's loss; it rises linearly from 0."""
    cost: Literal["filter", "dual"] = "filter"
    """How hard budgets act: on what is derived alone, or also on the way there, by dual ascent on the expected cost."""
    dual_rate: float = 0.01
    """Step of the dual ascent."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: a value is out of range.
        """
        if self.snapshots < 1 or self.std < 0 or self.entropy < 0 or self.dual_rate <= 0:
            raise UserError(
                f"search.snapshots={self.snapshots}, search.std={self.std}, search.entropy={self.entropy}, "
                f"search.dual_rate={self.dual_rate}: give 1 or more snapshots, and numbers of 0 or more (dual_rate above 0)"
            )
