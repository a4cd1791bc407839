"""Gradient-based search as an engine: weights and architecture learn together, then the strongest architecture is derived."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp
from typing import ClassVar, Literal

from common.engines.dropping import (
    AbandonSettings,
    FreezeSettings,
    GrowSettings,
    ProjectSettings,
    PruneSettings,
    ShrinkSettings,
)
from common.engines.halving import Halving
from common.engines.weighting import SAMPLED, WeightingSettings, check_weighting
from common.errors import UserError
from common.evaluate.settings import ProxySettings, ScratchSettings
from common.train.optim import ArchSettings

RuleName = Literal["one-level", "first-order", "second-order", "amended", "mixed-level", "mixed-second-order", "none"]


def gate_of(logit: float) -> float:
    """The sigmoid of a logit of any size."""
    return 1 / (1 + exp(-max(-700.0, min(700.0, logit))))


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
    """Gradient that the architecture follows, through the mixture; `none` where `abandon` decides by scores."""
    reward: str | None = None
    """Metric used as reward. If set, the architecture is trained with REINFORCE on this metric instead of by backpropagation; a
    metric whose name contains "loss" is minimised. See `common.relax.score_function`."""
    balance: float = 1.0
    """Factor of the validation gradient in the mixed-level rules."""
    exact: bool = False
    """Whether second derivatives, of the second-order and the amended rule, are exact instead of central differences."""
    radius: float = 0.0
    """Radius of the uniform noise on the mixing weights of the weights' steps at the end (SDARTS-RS; 0.3 in the paper). Not
    with the rule one-level, whose steps of the weights have the architecture's mixture, nor where all weightings are
    hard-gumbel or annealed-gumbel."""
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
    abandon: AbandonSettings | None = None
    """Options that are abandoned one by one by the scores of sub-networks (BNAS, ABanditNAS, CP-NAS); with rule `none`."""
    freeze: FreezeSettings | None = None
    """Options that stop learning where their gradients on training and validation data disagree (OLES)."""
    snapshots: int = 50
    """Number of evenly spaced monitoring snapshots. Papers report them per epoch."""
    scored: int = 0
    """Validation items on which the search network is scored at each snapshot; the best architecture of every size is then told
    (MiLeNAS). 0: it is not scored. Not with weights that are drawn: the score would be of one draw."""
    stop: Literal["never", "skips", "ranks", "size"] = "never"
    """DARTS+: stop at two skips in the derived normal cell, or when the order of operations is unchanged for ten snapshots.
    MiLeNAS: stop when the derived cells have fewer convolutions than `size`, having had them."""
    size: int = 1
    """Number of convolutions that the stop rule `size` wants."""
    entropy: float = 0.0
    """Weight of the mean entropy of the decisions in the architecture's loss; it rises linearly from 0. A gate of its own is a
    choice between open and closed."""
    diversity: float = 0.0
    """Weight of that entropy as a reward, at the beginning; it falls exponentially (BNAS; 1 in the paper), so that a search does
    not settle early on what learns fast. 0: no reward."""
    diversity_fall: float = 0.154
    """Share of the search in which that weight falls to 1/e of what it was: 7.7 of 50 epochs in the paper."""
    discount: float = 1.0
    """Number that the strength of the option `none` is divided by when an architecture is derived (BNAS; 3 in the paper for
    ImageNet)."""
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
        self._check_ranges()
        check_weighting("search.engine.options", self.options)
        if self.members is not None:
            check_weighting("search.engine.members", self.members)
        self._check_unread()
        self._check_dropping()
        self._check_abandon()
        self._check_weightings()

    def _check_ranges(self) -> None:
        for name, value, holds, rule in (
            ("snapshots", self.snapshots, self.snapshots >= 1, "1 or more"),
            ("std", self.std, self.std >= 0, "0 or more"),
            (
                "balance",
                self.balance,
                self.balance > 0,
                "a number above 0; rule=one-level is without",
            ),
            ("entropy", self.entropy, self.entropy >= 0, "0 or more"),
            ("diversity", self.diversity, self.diversity >= 0, "0 or more"),
            ("diversity_fall", self.diversity_fall, self.diversity_fall > 0, "a share of the search above 0"),
            ("discount", self.discount, self.discount >= 1, "1 or more"),
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

    def _check_unread(self) -> None:
        """Refuses settings that the others leave without effect."""
        mixed, one_level = self.rule.startswith("mixed"), self.rule == "one-level"
        for name, given, read, remedy in (
            ("exact", self.exact, self.rule in ("second-order", "amended"), "it has no second derivatives; set exact=false"),
            ("balance", self.balance != 1, mixed, "it weighs the gradient of mixed-level rules; leave it 1"),
            ("radius", self.radius, not one_level, "weights and architecture share a mixture; set radius=0, or another rule"),
            ("freeze", self.freeze, not one_level, "it has no validation gradient to compare with; set freeze=null"),
        ):
            if given and not read:
                raise UserError(f"search.engine.{name} with rule={self.rule}: {remedy}")
        if self.diversity_fall != 0.154 and not self.diversity:
            raise UserError(
                f"search.engine.diversity_fall={self.diversity_fall:g} with diversity=0: it has no effect; leave it 0.154, or "
                "give diversity"
            )
        if self.discount != 1 and "none" in self.forbidden:
            raise UserError(
                f"search.engine.discount={self.discount:g} with forbidden={list(self.forbidden)}: none is never derived; give 1"
            )
        if self.dual_rate != 0.01 and self.cost != "dual":
            raise UserError(f"search.engine.dual_rate={self.dual_rate:g} with cost={self.cost}: give cost=dual, or leave it 0.01")
        if self.stop in ("skips", "size") and self.snapshots == 1:
            raise UserError(f"search.engine.stop={self.stop} with snapshots=1: the one snapshot is of the last step; give more")
        if self.stop == "skips" and self.cap is not None and self.cap < 2:
            raise UserError(
                f"search.engine.cap={self.cap} with stop=skips: it stops at two skips in the derived normal cell, which the cap "
                "never allows; set cap=null, or stop=never"
            )
        if self.size != 1 and self.stop != "size":
            raise UserError(f"search.engine.size={self.size} with stop={self.stop}: it belongs to stop=size; leave it 1")
        if self.radius and self.options.kind in SAMPLED and (self.members is None or self.members.kind in SAMPLED):
            raise UserError(f"search.engine.radius with options.kind={self.options.kind}: it computes one option; set radius=0")

    def _check_dropping(self) -> None:
        kept = [stage.keep for stage in self.grow]
        if kept != sorted(set(kept), reverse=True) or (kept and kept[-1] != 1):
            raise UserError(
                f"search.engine.grow: keeps {kept} options; give numbers that descend to 1, as the last search derives an "
                "architecture"
            )
        if len(kept) == 1:
            raise UserError("search.engine.grow: it has one search, which is a search without it; give two or more, or []")
        if sum((bool(self.grow), *(part is not None for part in (self.shrink, self.prune, self.project, self.abandon)))) > 1:
            raise UserError("search.engine: grow, shrink, prune, project and abandon are ways to drop options; give one of them")
        if self.project is not None and self.stop != "never":
            raise UserError(f"search.engine.stop={self.stop} with project: decisions would be left open; set stop=never")
        for part in ("prune", "project"):
            for name in ("cap", "threshold", *(("forbidden", "derive") if part == "prune" else ())):
                if getattr(self, part) is not None and getattr(self, name) not in (None, ()):
                    plain = "[]" if name == "forbidden" else "null"
                    raise UserError(
                        f"search.engine.{name} with {part}: what is left is derived as it is; set search.engine.{name}={plain}"
                    )
        if self.derive is not None:
            settled = "project" if self.project is not None else "shrink"
            if self.project is not None or (self.shrink is not None and self.shrink.keep[-1] == 1):
                raise UserError(
                    f"search.engine.derive with {settled}: one option of each decision is left, and all draws are alike; set "
                    f"derive=null{', or keep more' if settled == 'shrink' else ''}"
                )
            for name in ("cap", "threshold"):
                if getattr(self, name) is not None:
                    raise UserError(f"search.engine.{name} with derive: draws do not keep to it; set search.engine.{name}=null")
        if self.prune is not None:
            if self.members is None or self.members.kind != "sigmoid":
                raise UserError(
                    "search.engine.prune: it closes gates; give them weights of their own, "
                    'search.engine.members={"kind":"sigmoid"}'
                )
            if (gate := gate_of(self.start)) <= self.prune.threshold:
                raise UserError(
                    f"search.engine.start={self.start:g}: gates begin at {gate:.3g}, and prune.threshold="
                    f"{self.prune.threshold:g} drops them at once; give a higher start, 0 say"
                )

    def _check_abandon(self) -> None:
        """Refuses what has no effect where sub-networks of one option of each decision are scored: their scores are the logits.

        Raises:
            UserError: names the setting, the reason and the remedy.
        """
        if self.abandon is None:
            if self.rule == "none":
                raise UserError(
                    "search.engine.rule=none: nothing decides between options; give search.engine.abandon={}, or another rule"
                )
            return
        if self.rule != "none":
            raise UserError(
                f"search.engine.abandon with rule={self.rule}: the scores of sub-networks decide, and the architecture follows "
                "no gradient; set search.engine.rule=none"
            )
        alone, still, left = "one option runs alone", "the architecture takes no steps", "one option of each decision is left"
        plain = Gradient()
        for name, why, default in (
            ("options", alone, '{"kind":"softmax"}'),
            ("members", "members are summed", "null"),
            ("reward", still, "null"),
            ("radius", alone, "0"),
            ("arch", still, "{}"),
            ("start", "scores replace the logits", "0"),
            ("std", "scores replace the logits", "1e-3"),
            ("recompute", alone, "false"),
            ("threshold", left, "null"),
            ("cap", left, "null"),
            ("derive", left, "null"),
            ("freeze", still, "null"),
            ("scored", "sub-networks are scored", "0"),
            ("stop", "decisions would be left open", "never"),
            ("entropy", still, "0"),
            ("diversity", still, "0"),
            ("zero_one", still, "0"),
            ("cost", still, "filter"),
        ):
            if getattr(self, name) != getattr(plain, name):
                raise UserError(f"search.engine.{name} with abandon: {why}; set search.engine.{name}={default}")

    def _check_weightings(self) -> None:
        both = {"options": self.options} | ({} if self.members is None else {"members": self.members})
        for name, weighting in both.items():
            told = f"{name}.kind={weighting.kind}" + (f", keep={weighting.keep:g}" if weighting.keep < 1 else "")
            if self.scored and weighting.random:
                raise UserError(f"search.engine.scored with {told}: it would score one draw; set scored=0")
            if self.project is not None and (weighting.random or weighting.kind == "one-hot"):
                raise UserError(
                    f"search.engine.project with {told}: it compares a mixture of all options without each of them; give softmax "
                    "or sigmoid"
                )
            if weighting.kind == "two-gates":
                self._check_two_gates(name)
        if self.reward is not None and (self.options.kind not in SAMPLED or self.members is not None):
            raise UserError(
                f"search.engine.reward={self.reward}: rewards are of single networks; give options.kind={' or '.join(SAMPLED)}, "
                "and members=null"
            )

        if self.reward is not None and self.rule not in ("first-order", "one-level"):
            raise UserError(f"search.engine.rule={self.rule} with reward: REINFORCE takes its place; set rule=first-order")

    def _check_two_gates(self, name: str) -> None:
        """The optimiser must move the two logits alone that were drawn (`common.relax.gates.TwoGates`)."""
        for setting, given, rule in (
            ("arch.betas", self.arch.betas[0], "momentum moves logits that were not drawn; give [0.0, 0.999]"),
            ("arch.weight_decay", self.arch.weight_decay, "it moves logits that were not drawn; give 0"),
            ("entropy", self.entropy, "it moves logits that were not drawn; give 0"),
            ("diversity", self.diversity, "it moves logits that were not drawn; give 0"),
            ("zero_one", self.zero_one, "it moves logits that were not drawn; give 0"),
            ("cost", self.cost == "dual", "its price moves logits that were not drawn; give filter"),
        ):
            if given:
                raise UserError(f"search.engine.{setting} with {name}.kind=two-gates: {rule}")
