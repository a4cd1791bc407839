"""Gradient-based search as an engine: weights and architecture learn together, then the strongest architecture is derived."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from common.engines.halving import Halving
from common.errors import UserError
from common.evaluate.settings import ProxySettings, ScratchSettings
from common.train.optim import ArchSettings

Kind = Literal["softmax", "sigmoid", "gumbel-softmax", "hard-gumbel", "annealed-gumbel", "one-gate", "two-gates", "one-hot"]
RuleName = Literal["one-level", "first-order", "second-order", "amended", "mixed-level"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightingSettings:
    """How logits become weights; see `common.relax.weightings` and `common.relax.gates`."""

    kind: Kind = "softmax"
    """Function from logits to weights."""
    temperature: tuple[float, float] = (1.0, 1.0)
    """Temperature of the Gumbel weightings of SNAS and GDAS, at the beginning and at the end."""
    noise: tuple[float, float] = (1.0, 0.0)
    """Factor of annealed Gumbel noise, at the beginning and at the end."""
    shape: Literal["linear", "exponential"] = "linear"
    """Shape of the fall of the temperature, or of the noise."""
    keep: float = 1.0
    """Fraction of options computed per step, sampled uniformly (in (0, 1])."""
    kept: int = 1
    """Number of options that a one-hot weighting takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeriveSettings:
    """Successive halving among candidates sampled from what the search learnt, each trained alone."""

    engine: Halving = Halving()
    """Its bracket begins with the strongest architecture and samples by the learnt probabilities."""
    evaluation: ScratchSettings | ProxySettings = ScratchSettings()
    """How candidates are trained."""
    trials: int = 40
    """Trainings in all."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: a value is out of range.
        """
        if self.trials < 1:
            raise UserError(f"search.engine.derive.trials={self.trials}: give 1 or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gradient:
    """A differentiable search on the supernet; its steps are those of the system's phases of kind `relaxed`.

    It evaluates no candidates, so that `search.evaluation` and `search.trials` have no effect.
    """

    title: ClassVar[str] = "gradient-based search"
    paper: ClassVar[str] = "arXiv:1806.09055"

    several: ClassVar[bool] = False
    needs_shares: ClassVar[bool] = False

    name: Literal["gradient"] = "gradient"
    options: WeightingSettings = WeightingSettings()
    """Weighting of operations."""
    members: WeightingSettings | None = None
    """Weighting of edges. `None`: edges are summed without weights."""
    rule: RuleName = "first-order"
    """Gradient that the architecture follows, through the mixture."""
    reward: str | None = None
    """Metric used as reward. If set, the architecture is trained with REINFORCE on this metric instead of by backpropagation; a
    metric whose name contains "loss" is minimised. See `common.relax.score_function`."""
    balance: float = 1.0
    """Factor of the validation gradient in the mixed-level rule."""
    arch: ArchSettings = ArchSettings()
    """Optimiser of the architecture."""
    start: float = 0.0
    """Mean of the initial logits; 0.5 for one-hot."""
    std: float = 1e-3
    """Standard deviation of the initial logits."""
    recompute: bool = False
    """Options are computed again in the backward pass: less memory, a third more time."""
    forbidden: tuple[str, ...] = ()
    """Labels of options that are never derived, `none` say."""
    threshold: float | None = None
    """Members weaker than this are not derived, where the space allows fewer."""
    snapshots: int = 50
    """Number of evenly spaced monitoring snapshots. Papers report them per epoch."""
    stop: Literal["never", "skips", "ranks"] = "never"
    """DARTS+: stop at two skips in the derived normal cell, or when the order of operations is unchanged for ten snapshots."""
    entropy: float = 0.0
    """Weight of the mean entropy of the decisions in the architecture's loss; it rises linearly from 0."""
    cost: Literal["filter", "dual"] = "filter"
    """Effect of hard budgets: on the derived architecture alone, or also on the training, by dual ascent on the expected cost."""
    dual_rate: float = 0.01
    """Step size of the dual ascent."""
    derive: DeriveSettings | None = None
    """Search among candidates that are sampled from what this search learnt. `None`: the strongest architecture is taken."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: a value is out of range.
        """
        for name, value, holds, rule in (
            ("snapshots", self.snapshots, self.snapshots >= 1, "1 or more"),
            ("std", self.std, self.std >= 0, "0 or more"),
            ("entropy", self.entropy, self.entropy >= 0, "0 or more"),
            ("dual_rate", self.dual_rate, self.dual_rate > 0, "a number above 0"),
        ):
            if not holds:
                raise UserError(f"search.engine.{name}={value}: give {rule}")
