"""Options that leave a search while it runs, as participants of its training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor

from common.arch import from_labels, labels
from common.cost.prices import Prices
from common.engines.dropping import PruneSettings, ShrinkSettings
from common.errors import UserError
from common.relax.relaxation import Relaxation
from common.space import Arch, Decision, Invalid, ManyOf, OneOf, record
from common.train.step import Participant, Step


@dataclass(slots=True, kw_only=True)
class Dropping(Participant):
    """What all kinds of dropping share: the relaxation, and that what it has dropped survives.

    Attributes:
        relaxation: whose options are dropped.
        steps: of the search.
    """

    name: ClassVar[str] = "dropping"
    relaxation: Relaxation
    steps: int

    def options(self) -> int:
        """Options of all decisions that are left."""
        return sum(len(self.relaxation.live(path)) for path in self.relaxation.logits.values)

    def left(self) -> Arch:
        """The architecture of all that is not dropped: of a `OneOf` the first option left, of a `ManyOf` all members left."""

        def option(path: str, decision: Decision) -> int:
            live = self.relaxation.live(path) if path in self.relaxation.paths() else (0,)
            return decision.rank(live) if isinstance(decision, ManyOf) else live[0]

        return record(self.relaxation.supernet.space, option)

    def state(self) -> Mapping[str, Any]:
        """What is dropped."""
        return {"dropped": {path: sorted(options) for path, options in self.relaxation.dropped.items()}}

    def load(self, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        """Goes on from a checkpoint."""
        self.relaxation.dropped = {path: frozenset(options) for path, options in state["dropped"].items()}


@dataclass(slots=True, kw_only=True)
class Shrinking(Dropping):
    """Leaves fewer and fewer options to each decision: DA-NAS (2003.12563), the strongest ones.

    Attributes:
        settings: when, and how many are left.
        forbidden: labels of options that are never derived; one that may be is always left.
    """

    settings: ShrinkSettings
    forbidden: Sequence[str] = ()

    def after(self, step: Step, values: Mapping[str, float]) -> None:
        """Drops options, if it is time."""
        for at, keep in zip(self.settings.at, self.settings.keep, strict=True):
            if step.number + 1 == max(1, round(at * self.steps)):
                keep_strongest(self.relaxation, keep, self.forbidden)


def keep_strongest(relaxation: Relaxation, keep: int, forbidden: Sequence[str] = ()) -> dict[str, list[str]]:
    """Leaves the `keep` strongest options to every `OneOf` with strengths, of equals the first; gives their labels in order.

    Where all of them are forbidden, the last of them makes room for the strongest that is not.
    """
    kept: dict[str, list[str]] = {}
    for path, strengths in relaxation.strengths().items():
        decision = relaxation.decision(path)
        if not isinstance(decision, OneOf):
            continue
        order = sorted(relaxation.live(path), key=lambda i: -float(strengths[i]))
        allowed = [i for i in order if decision.labels[i] not in forbidden]
        best = order[:keep]
        if allowed and allowed[0] not in best:
            best[-1] = allowed[0]
        best.sort()
        relaxation.drop(path, set(range(len(decision.options))) - set(best))
        kept[path] = [decision.labels[i] for i in best]
    return kept


@dataclass(slots=True, kw_only=True)
class Pruning(Dropping):
    """Drops members under a growing price of their cost, so that one search goes through a sequence of ever smaller networks.

    GOLD-NAS (2007.03331, section 3.3). The loss of the gates g_i has the price lambda * sum_i g_i w_i beside it, where w_i is a
    mean of 1 / n and of the member's share of the MACs; of 1 / n alone, where no member has any. Every `every` steps those of the
    smallest gates below the threshold are dropped, `most` at once; where it was fewer, lambda grows by an increment, a larger one
    each time in a row, else it falls back by one increment. What is dropped never returns. How lambda moves is a reconstruction.

    Attributes:
        settings: of the rounds.
        price: of the network that is trained alone.
        sequence: for each round in which something was dropped: the step, the members left, the architecture, and its MACs when
            it is trained alone.
        pressure: lambda.
    """

    settings: PruneSettings
    price: Prices
    sequence: list[dict[str, Any]] = field(default_factory=list)
    pressure: float = field(default=0.0, init=False)
    _streak: int = field(default=0, init=False)
    _weights: dict[str, Tensor] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        costs = {path: self._costs(path) for path in self.relaxation.logits.values}
        total, n = sum(map(sum, costs.values())), sum(map(len, costs.values()))
        share = self.settings.by_cost
        self._weights = {
            path: torch.tensor([share * (cost / total if total else 1 / n) + (1 - share) / n for cost in own])
            for path, own in costs.items()
        }

    def penalty(self, probabilities: Mapping[str, Tensor], progress: float) -> dict[str, Tensor]:
        """The price of the members that are left."""
        terms = [(probabilities[path] * weights.to(probabilities[path])).sum() for path, weights in self._weights.items()]
        return {"member_price": self.pressure * torch.stack(terms).sum()}

    def after(self, step: Step, values: Mapping[str, float]) -> None:
        """A round, if it is due."""
        if (step.number + 1) % self.settings.every:
            return
        weak = sorted(
            (float(gates[i]), path, i)
            for path, gates in self.relaxation.strengths().items()
            for i in self.relaxation.live(path)
            if float(gates[i]) < self.settings.threshold
        )
        dropped = 0
        for _, path, i in weak:
            if dropped == self.settings.most:
                break
            kept = self.relaxation.dropped.get(path, frozenset())
            self.relaxation.drop(path, (i,))
            try:
                self.left()
                dropped += 1
            except Invalid:  # without it a rule of the space is broken: a cell without inputs
                self.relaxation.dropped[path] = kept
        if dropped < self.settings.most:
            self._streak += 1
            self.pressure += self._streak * self.settings.price
        else:
            self._streak = 0
            self.pressure = max(0.0, self.pressure - self.settings.price)
        if dropped:
            arch = self.left()
            macs = self.price.value(arch, "macs")
            space = self.relaxation.supernet.space
            self.sequence.append({"step": step.number + 1, "members": self.options(), "macs": macs, "arch": labels(space, arch)})

    def within(self, feasible: Callable[[Arch], bool]) -> Arch:
        """The first architecture of the sequence, so the largest one, that keeps the budget.

        Raises:
            UserError: none does.
        """
        space = self.relaxation.supernet.space
        archs = [from_labels(space, row["arch"], "sequence") for row in self.sequence] or [self.left()]
        found = next((arch for arch in archs if feasible(arch)), None)
        if found is None:
            macs = self.price.value(archs[-1], "macs")
            raise UserError(
                f"search.engine.prune: the smallest network of the search ({macs:,} multiply-adds of its own size) is above the "
                "budget; give more steps, a higher prune.price or a larger budget"
            )
        return found

    def state(self) -> Mapping[str, Any]:
        """What is dropped, the price and the sequence."""
        own = {"pressure": self.pressure, "streak": self._streak, "sequence": self.sequence}
        return {**Dropping.state(self), **own}

    def load(self, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        """Goes on from a checkpoint."""
        Dropping.load(self, tensors, state)
        self.pressure, self._streak, self.sequence = state["pressure"], state["streak"], list(state["sequence"])

    def _costs(self, path: str) -> list[float]:
        """What each member of a decision adds to the MACs of the network."""
        decision = self.relaxation.decision(path)
        assert isinstance(decision, ManyOf)  # `common.stages.option_checks` refuses others
        everything = {name: len(d) - 1 for name, d in self.price.decisions.items()}
        whole = self.price.value(everything, "macs")
        every = set(range(len(decision.options)))
        return [float(whole - self.price.value(everything | {path: decision.rank(sorted(every - {i}))}, "macs")) for i in every]
