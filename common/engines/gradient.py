"""Gradient-based search as an engine: weights and architecture learn together, then the strongest architecture is derived."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from common.engines.dropping import FreezeSettings, GrowSettings, ProjectSettings, PruneSettings, ShrinkSettings
from common.engines.halving import Halving
from common.errors import UserError
from common.evaluate.settings import ProxySettings, ScratchSettings
from common.train.optim import ArchSettings

Kind = Literal[
    "softmax",
    "sigmoid",
    "gumbel-softmax",
    "hard-gumbel",
    "annealed-gumbel",
    "one-gate",
    "two-gates",
    "one-hot",
    "dirichlet",
    "reinmax",
]
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
    exact: bool = False
    """Whether second derivatives, of the second-order and the amended rule, are exact instead of central differences."""
    radius: float = 0.0
    """Radius of the uniform noise on the mixing weights of the weights' steps at the end (SDARTS-RS; 0.3 in the paper)."""
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
    cap: int | None = None
    """Skip connections in the derived normal cell, at most: the weakest are given up one by one, and the cell is derived again
    (P-DARTS). `None`: any number."""
    grow: tuple[GrowSettings, ...] = ()
    """Several searches in a row (P-DARTS); none: one."""
    shrink: ShrinkSettings | None = None
    """Options that are dropped in the course of the search (DA-NAS)."""
    prune: PruneSettings | None = None
    """Members that are dropped in the course of the search (GOLD-NAS); what is left is derived."""
    project: ProjectSettings | None = None
    """Decisions that are settled one after the other by what their options are worth (DARTS-PT)."""
    freeze: FreezeSettings | None = None
    """Options that stop learning where their gradients on training and validation data disagree (OLES)."""
    snapshots: int = 50
    """Number of evenly spaced monitoring snapshots. Papers report them per epoch."""
    scored: int = 0
    """Validation items on which the search network is scored at each snapshot; the best architecture of every size is then told
    (MiLeNAS). 0: it is not scored."""
    stop: Literal["never", "skips", "ranks", "size"] = "never"
    """DARTS+: stop at two skips in the derived normal cell, or when the order of operations is unchanged for ten snapshots.
    MiLeNAS: stop when the derived cells have fewer convolutions than `size`, having had them."""
    size: int = 1
    """Number of convolutions that the stop rule `size` wants."""
    entropy: float = 0.0
    """Weight of the mean entropy of the decisions in the architecture's loss; it rises linearly from 0."""
    zero_one: float = 0.0
    """Weight of the loss that drives gates to 0 or 1 (FairDARTS; 10 in the paper)."""
    cost: Literal["filter", "dual"] = "filter"
    """Effect of hard budgets: on the derived architecture alone, or also on the training, by dual ascent on the expected cost."""
    dual_rate: float = 0.01
    """Step size of the dual ascent."""
    rivals: int = 8
    """Random architectures, at least, that random search trains alone for as many operations as the search took, together; the
    best of them is retrained beside what was found. Where `search.random_baseline` is true."""
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
            ("zero_one", self.zero_one, self.zero_one >= 0, "0 or more"),
            ("radius", self.radius, self.radius >= 0, "0 or more"),
            ("scored", self.scored, self.scored >= 0, "0 or more"),
            ("size", self.size, self.size >= 1, "1 or more"),
            ("rivals", self.rivals, self.rivals >= 1, "1 or more"),
            ("cap", self.cap, self.cap is None or self.cap >= 0, "0 or more, or none"),
            ("threshold", self.threshold, self.threshold is None or 0 < self.threshold < 1, "a number between 0 and 1, or none"),
            ("dual_rate", self.dual_rate, self.dual_rate > 0, "a number above 0"),
        ):
            if not holds:
                raise UserError(f"search.engine.{name}={value}: give {rule}")
        kept = [stage.keep for stage in self.grow]
        if kept != sorted(set(kept), reverse=True) or (kept and kept[-1] < 1):
            raise UserError(
                f"search.engine.grow: keeps {kept} options; give numbers that descend to 1 or more: an edge needs one"
            )
        if sum((bool(self.grow), *(part is not None for part in (self.shrink, self.prune, self.project)))) > 1:
            raise UserError("search.engine: grow, shrink, prune and project are ways to drop options; give one of them")
        if self.project is not None and self.stop != "never":
            raise UserError(f"search.engine.stop={self.stop} with project: decisions would be left open; set stop=never")
        if self.exact and self.rule not in ("second-order", "amended"):
            raise UserError(f"search.engine.exact with rule={self.rule}: it has no second derivatives; set exact=false")
