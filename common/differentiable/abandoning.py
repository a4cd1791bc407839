"""Options that are abandoned by the scores of sub-networks that use each of them once: BNAS, ABanditNAS and CP-NAS.

BNAS (Beihang, arXiv 1911.10862) searches in rounds. In each of the passes of a round the K options that every decision has left
are put in random order, so that K sub-networks use each option once. Each sub-network is trained for an epoch and scored on
validation items, and all its options are credited with the score. After the passes every decision abandons its weakest option,
until one is left. CP-NAS (arXiv 2005.00057) has the same procedure and another score (`common.relax.credit.indicator`);
ABanditNAS keeps a running value and samples and abandons by its bounds of confidence (`common.relax.credit.Credit`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import isfinite
from typing import Any

import torch
from torch import Tensor

from common.differentiable.dropping import Dropping
from common.differentiable.flops import flops_of_step, operations
from common.engines.dropping import AbandonSettings
from common.errors import UserError, shown
from common.relax.credit import Credit
from common.space import OneOf
from common.streams import stream
from common.train.alternate import Alternation
from common.train.step import Losses, Path, Step


@dataclass(slots=True, kw_only=True)
class Abandoning(Dropping):
    """Chooses the sub-network of every step, scores it at the end of its epoch, and abandons options after each round.

    An epoch is a whole number of steps, equal for all sub-networks; the steps that remain train what is left. After a round the
    logits are the values of the options, so that softmax(logits) is the papers' e(o). The strength of the option that is left at
    last is its e(o) of the last round, between two options. With one pass all decisions are credited with the same two scores
    there, and their strengths are equal; more passes tell them apart.

    With the rule `bandit` an option is sampled for each sub-network with return, so that some are used more often than others:
    as many sub-networks as passes have.

    Reconstructions: in `mean` a round begins without scores, in `bandit` values and counts go on through all rounds; of equals
    the last one is abandoned; of the options that may be derived the last one is never abandoned.

    Attributes:
        settings: number of passes, and the value of an option.
        score: scores the sub-network that the supernet is set to; higher is better.
        seed: of the orders.
        forbidden: labels of options that are never derived.
        rounds: for each round that is over, the label that each decision abandoned.
        samples: for each sub-network that is scored, the numbers of its options and its score.

    Raises:
        UserError: the decisions have different numbers of options, or a sub-network gets no step.
    """

    settings: AbandonSettings
    score: Callable[[], float]
    seed: int
    forbidden: Sequence[str] = ()
    rounds: list[dict[str, str]] = field(default_factory=list)
    samples: list[dict[str, Any]] = field(default_factory=list)
    epoch: int = field(init=False)
    """Steps of each sub-network."""
    paths: list[str] = field(init=False)
    """Decisions of several options."""
    _credits: dict[str, Credit] = field(init=False, default_factory=dict)
    _passes: int = field(init=False, default=0)  # those of the round that are over
    _used: list[dict[str, int]] = field(init=False, default_factory=list)  # sub-networks of the pass that are scored

    def __post_init__(self) -> None:
        known = {path: self.relaxation.decision(path) for path in self.relaxation.paths()}
        self.paths = [path for path, decision in known.items() if isinstance(decision, OneOf) and len(decision) > 1]
        sizes = {len(known[path]) for path in self.paths}
        if len(sizes) != 1:
            raise UserError(f"search.engine.abandon: decisions have {sorted(sizes)} options; all need as many")
        samples = self.settings.samples(self.size())
        if (epoch := self.steps // samples) < 1:
            raise UserError(f"search.engine.abandon: {samples} sub-networks are trained in {self.steps} steps; give {samples}")
        self.epoch = epoch
        self._credits = self._uncredited()

    def size(self) -> int:
        """Options of each decision that are left."""
        return len(self.relaxation.live(self.paths[0]))

    def before(self, step: Step) -> Sequence[Path]:
        """The sub-network of the step."""
        return [Path(partial(self.relaxation.run, self.drawn()))]

    def after(self, step: Step, values: Mapping[str, float]) -> None:
        """At the end of an epoch: credits the options of the sub-network; at that of a round: abandons options."""
        if self.size() == 1 or (step.number + 1) % self.epoch:
            return
        drawn = self.drawn()
        self.relaxation.run(drawn)
        score = self.score()
        if not isfinite(score):
            raise UserError(
                f"the score of a sub-network is {score} after step {step.number} of {self.steps}: options cannot be compared; "
                "give the weights a lower learning rate"
            )
        self.credit(drawn, score)

    def drawn(self) -> dict[str, int]:
        """The option of each decision that is trained now: a function of the seed and of the scores so far."""
        if self.size() == 1:
            return {path: self.relaxation.live(path)[0] for path in self.paths}
        if self.settings.rule == "bandit":
            return {path: self._sampled(path) for path in self.paths}
        return self.permuted(self._passes)[len(self._used)]

    def permuted(self, number: int) -> list[dict[str, int]]:
        """The sub-networks of a pass of this round: the options that are left, in a random order for each decision."""
        orders: dict[str, list[int]] = {}
        for path in self.paths:
            rng = stream(self.seed, "abandon", len(self.rounds), number, path)
            orders[path] = rng.sample(self.relaxation.live(path), self.size())
        return [{path: order[i] for path, order in orders.items()} for i in range(self.size())]

    def credit(self, drawn: Mapping[str, int], score: float) -> None:
        """Credits the options of a sub-network with its score; after the last one of a round every decision abandons one."""
        weight = self.settings.keep if self.settings.rule == "bandit" else None
        self.samples.append({"options": dict(drawn), "score": score})
        for path, option in drawn.items():
            self._credits[path].add(option, score, weight)
        self._used.append(dict(drawn))
        if len(self._used) == self.size():
            self._used = []
            self._passes += 1
        if self._passes == self.settings.passes:
            self._passes = 0
            self.abandon({path: self.weakest(path) for path in self.paths})

    def weakest(self, path: str) -> int:
        """The option that a decision abandons next."""
        labels, credit = self.relaxation.decision(path).labels, self._credits[path]
        live = self.relaxation.live(path)
        allowed = [i for i in live if labels[i] not in self.forbidden]
        worth = credit.upper if self.settings.rule == "bandit" else credit.values.__getitem__
        return min((i for i in live if allowed != [i]), key=lambda i: (worth(i), -i))

    def abandon(self, weakest: Mapping[str, int]) -> None:
        """Ends a round: logits are the values of the options, and every decision loses one."""
        with torch.no_grad():
            for path in weakest:
                logits, live = self.relaxation.logits.values[path], list(self.relaxation.live(path))
                logits[live] = torch.tensor([self._credits[path].values[i] for i in live]).to(logits)
        strengths, last = self.relaxation.strengths(), self.size() == 2
        for path, option in weakest.items():
            self.relaxation.drop(path, (option,))
            if last:
                strengths[path][option] = 0.0
                self.relaxation.settled[path] = strengths[path]
        labels = {path: self.relaxation.decision(path).labels for path in weakest}
        self.rounds.append({path: labels[path][option] for path, option in weakest.items()})
        if self.settings.rule == "mean":
            self._credits = self._uncredited()

    def _sampled(self, path: str) -> int:
        """One of the options that are left, by the lower bounds."""
        rng = stream(self.seed, "abandon", len(self.rounds), self._passes, len(self._used), path)
        return self._credits[path].draw(self.relaxation.live(path), rng)

    def _uncredited(self) -> dict[str, Credit]:
        sizes = {path: len(self.relaxation.decision(path)) for path in self.paths}
        return {path: Credit(values=[0.0] * n, times=[0] * n) for path, n in sizes.items()}

    def tensors(self) -> Mapping[str, Tensor]:
        """The strengths of the options that are left at last."""
        return self.relaxation.settled

    def state(self) -> Mapping[str, Any]:
        """What is dropped, and the scores so far."""
        credited = {path: {"values": credit.values, "times": credit.times} for path, credit in self._credits.items()}
        own = {"credits": credited, "passes": self._passes, "used": self._used, "rounds": self.rounds, "samples": self.samples}
        return {**Dropping.state(self), **own}

    def load(self, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        """Goes on from a checkpoint."""
        Dropping.load(self, tensors, state)
        self.relaxation.settled = dict(tensors)
        self._credits = {
            path: Credit(values=list(row["values"]), times=list(row["times"])) for path, row in state["credits"].items()
        }
        self._passes, self._used, self.rounds = state["passes"], list(state["used"]), list(state["rounds"])
        self.samples = list(state["samples"])


def flops_of_abandoning(
    alternation: Alternation, loss: Callable[..., Any], abandoning: Abandoning, result: Mapping[str, object], file: str
) -> float:
    """Operations of a whole search, training and scorings; the architecture has no steps.

    With the rule `mean` one pass of each round is counted and multiplied: all passes of a round cost the same where the cost of a
    network is the sum over its options, as forward passes do. A bandit's sub-networks are counted one by one.

    Args:
        alternation: of the search, before its first step; it is used up.
        loss: of the weights' phase.
        abandoning: of the search, before its first step; it is used up.
        result: of the search; `abandoned` has what each round abandoned, `sampled` the sub-networks.
        file: where the result is, for errors.

    Raises:
        UserError: it is not of such a search.
    """
    losses, epoch, passes = Losses(alternation.model.network, loss), abandoning.epoch, abandoning.settings.passes
    relaxation, made, total = abandoning.relaxation, 0, 0.0

    def trained(drawn: Mapping[str, int]) -> int:
        step = Step(number=made, progress=made / alternation.steps, seed=alternation.seed)
        relaxation.run(drawn)
        return flops_of_step(alternation, losses, step, [alternation])

    bandit = abandoning.settings.rule == "bandit"
    samples = _samples(abandoning, result.get("sampled"), file) if bandit else []
    for weakest in _weakest(abandoning, result.get("abandoned"), file):
        size, each = abandoning.size(), 1 if bandit else passes
        drawn_ones = samples[: passes * size] if bandit else abandoning.permuted(0)
        samples = samples[passes * size :]
        for drawn in drawn_ones:
            total += each * (epoch * trained(drawn) + operations(abandoning.score))
            made += each * epoch
        abandoning.abandon(weakest)
    return total + ((alternation.steps - made) * trained(abandoning.drawn()) if made < alternation.steps else 0)


def _samples(abandoning: Abandoning, sampled: object, file: str) -> list[dict[str, int]]:
    """The options of sub-networks, by their numbers."""
    sizes = {path: len(abandoning.relaxation.decision(path)) for path in abandoning.paths}
    try:
        found = [{path: row["options"][path] for path in sizes} for row in sampled]  # pyright: ignore[reportGeneralTypeIssues]
        good = all(row[path] in range(size) for row in found for path, size in sizes.items())
    except (KeyError, TypeError):
        found, good = [], False
    if not good or len(found) != abandoning.settings.samples(abandoning.size()):
        raise UserError(f"{file}: in the result of the search sampled is {shown(sampled)}, not its sub-networks; restore it")
    return found


def _weakest(abandoning: Abandoning, rounds: object, file: str) -> list[dict[str, int]]:
    """The options that rounds abandoned, by their labels."""
    known = {path: list(abandoning.relaxation.decision(path).labels) for path in abandoning.paths}
    try:
        told = [{path: row[path] for path in known} for row in rounds]  # pyright: ignore[reportGeneralTypeIssues]
        found = [{path: known[path].index(label) for path, label in row.items()} for row in told]
    except (KeyError, TypeError, ValueError):
        found = []
    if len(found) != abandoning.size() - 1 or any(len({row[path] for row in found}) < len(found) for path in known):
        raise UserError(f"{file}: in the result of the search abandoned is {shown(rounds)}, not what its rounds lost; restore it")
    return found
