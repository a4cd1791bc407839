"""From settings to the parts of a differentiable search."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import exp
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from common.cost.expected import ExpectedCost
from common.differentiable.deriving import convolutions_of, normal_of
from common.engines import Gradient
from common.engines.weighting import WeightingSettings
from common.errors import UserError
from common.relax.budget import Budget, Guided
from common.relax.cost import DualAscent
from common.relax.gates import OneGate, OneHot, TwoGates
from common.relax.hypergradient import AMENDED, FIRST_ORDER, ONE_LEVEL, SECOND_ORDER, Rule, mixed_level
from common.relax.monitor import RankStop, SizeStop, SkipStop, StopRule
from common.relax.ranked import Bound
from common.relax.relaxation import Relaxation
from common.relax.sampled import AnnealedGumbel, HardGumbel
from common.relax.stochastic import DirichletWeights, ReinMax
from common.relax.weightings import GumbelSoftmax, Sigmoid, Softmax, Temperature, Weighting
from common.space import Arch, ManyOf, decisions
from common.stages.context import Context
from common.supernet import Supernet
from common.train.step import Participant

if TYPE_CHECKING:
    from common.cost.prices import Metric
    from common.objective import Constraint
    from common.task import Networks

GATES = ("sigmoid", "one-hot")
"""Kinds of weighting by which options do not compete."""


def weighting_of(settings: WeightingSettings) -> Weighting:
    """The weighting that settings describe."""
    start, end = settings.temperature
    match settings.kind:
        case "softmax":
            temperature = Temperature(start=start, end=end, shape=settings.shape)
            return Softmax(keep=settings.keep, drawn=settings.drawn, temperature=temperature)
        case "sigmoid":
            return Sigmoid()
        case "gumbel-softmax":
            return GumbelSoftmax(temperature=Temperature(start=start, end=end, shape=settings.shape))
        case "hard-gumbel":
            return HardGumbel(temperature=Temperature(start=start, end=end, shape=settings.shape))
        case "annealed-gumbel":
            return AnnealedGumbel(noise=settings.noise, shape=settings.shape)
        case "one-gate":
            return OneGate()
        case "two-gates":
            return TwoGates()
        case "one-hot":
            return OneHot(keep=settings.kept)
        case "dirichlet":
            return DirichletWeights()
        case "reinmax":
            return ReinMax(temperature=start)


def rule_of(settings: Gradient) -> Rule | None:
    """The gradient that settings name; None where the architecture follows none."""
    match settings.rule:
        case "none":
            return None
        case "one-level":
            return ONE_LEVEL
        case "first-order":
            return FIRST_ORDER
        case "second-order":
            return replace(SECOND_ORDER, exact=settings.exact)
        case "amended":
            return replace(AMENDED, exact=settings.exact)
        case "mixed-level":
            return mixed_level(settings.balance)
        case "mixed-second-order":
            return mixed_level(settings.balance, lookahead=1.0)


def relaxation_of(settings: Gradient, supernet: Supernet, seed: int) -> Relaxation:
    """The relaxation of a supernet."""
    return Relaxation(
        supernet=supernet,
        options=weighting_of(settings.options),
        members=None if settings.members is None else weighting_of(settings.members),
        seed=seed,
        start=settings.start,
        std=settings.std,
        recompute=settings.recompute,
        radius=settings.radius,
    )


def feasible_of(
    networks: Networks, constraints: Sequence[Constraint], feasible: Callable[[Arch], bool]
) -> Budget | Guided | Callable[[Arch], bool]:
    """The hard constraints: upper limits that a system can price, or guide to, are ones that a search can be steered by."""
    if networks.price is not None and len(constraints) == 1:
        (constraint,) = constraints
        priced = networks.price(constraint.metric)
        if priced is not None and constraint.upper is not None and constraint.lower is None:
            return Budget(*priced, constraint.upper)
    limits = {rule.metric: rule.upper for rule in constraints if rule.upper is not None and rule.lower is None}
    if networks.guide is not None and len(limits) == len(constraints):
        return Guided(feasible, [_part(bound, upper) for m, upper in limits.items() for bound in networks.guide(m)])
    return feasible


def _part(bound: Bound, upper: float) -> Bound:
    """Costs as shares of a limit, so that those of several limits add up."""
    return bound._replace(values={key: value / upper for key, value in bound.values.items()})


def stop_rule_of(settings: Gradient, space: Any) -> StopRule | None:
    """The rule that ends a search of a space early, if any."""
    match settings.stop:
        case "never":
            return None
        case "skips":
            return SkipStop(within=normal_of(space))
        case "ranks":
            return RankStop()
        case "size":
            return SizeStop(wanted=settings.size, convolutions=convolutions_of(space))


def penalty_of(settings: Gradient, context: Context) -> Penalties | None:
    """What is added to the architecture's loss: entropy, and the price of the budgets."""
    budgets: list[tuple[ExpectedCost, Metric, DualAscent]] = []
    if settings.cost == "dual":
        for constraint in context.constraints:
            if constraint.upper is None:
                raise UserError(f"{constraint}: dual ascent keeps upper limits; use search.engine.cost=filter")
            networks = context.task.networks
            assert networks.price is not None  # `common.stages.gradient_checks` refuses such systems
            priced = networks.price(constraint.metric)
            assert priced is not None
            price, metric = priced
            budgets.append((ExpectedCost(price), metric, DualAscent(budget=constraint.upper, rate=settings.dual_rate)))
    s = settings
    if not (s.entropy or s.diversity or s.zero_one or budgets):
        return None
    gates = frozenset(
        path
        for path, decision in decisions(context.task.space).items()
        if (weighting := s.members if isinstance(decision, ManyOf) else s.options) is not None and weighting.kind in GATES
    )
    return Penalties(
        entropy=s.entropy, diversity=s.diversity, fall=s.diversity_fall, zero_one=s.zero_one, budgets=budgets, gates=gates
    )


def zero_one(gates: Tensor) -> Tensor:
    """-mean (gate - 1/2)^2: lowest, -1/4, where every gate is 0 or 1 (FairDARTS, 1911.12126, section 4.2, the L2 form)."""
    return -((gates - 0.5) ** 2).mean()


def _entropy(p: Tensor) -> Tensor:
    """-sum p log p in nats; 0 log 0 is 0."""
    return -(p * p.clamp_min(1e-12).log()).sum()


@dataclass(slots=True, kw_only=True)
class Penalties(Participant):
    """Terms of the architecture's loss besides that of the task; the multipliers of the budgets are its state.

    Attributes:
        entropy: Weight of the mean entropy of the decisions (nats) at the end of the search; it rises linearly from 0.
        diversity: Weight at the beginning of the same entropy as a reward: BNAS (2002.06963, equation 3).
        fall: Share of the search in which that weight falls to 1/e of what it was.
        zero_one: Weight of `zero_one`.
        budgets: Expected cost, metric and dual ascent of each.
        gates: decisions whose options do not compete: each of them is open or closed.
    """

    name: ClassVar[str] = "penalties"
    entropy: float
    zero_one: float
    budgets: list[tuple[ExpectedCost, Metric, DualAscent]]
    diversity: float = 0.0
    fall: float = 1.0
    gates: frozenset[str] = frozenset()
    _expected: list[float] = field(default_factory=list, init=False)  # at the latest step

    def __call__(self, probabilities: Mapping[str, Tensor], progress: float) -> dict[str, Tensor]:
        """Named terms."""
        terms: dict[str, Tensor] = {}
        if self.entropy or self.diversity:
            entropies = [_entropy(p) + (_entropy(1 - p) if path in self.gates else 0) for path, p in probabilities.items()]
            mean = torch.stack(entropies).mean()
            if self.entropy:
                terms["entropy_penalty"] = self.entropy * progress * mean
            if self.diversity:
                terms["diversity_penalty"] = -self.diversity * exp(-progress / self.fall) * mean
        if self.zero_one:
            terms["zero_one_penalty"] = self.zero_one * zero_one(torch.cat([*probabilities.values()]))
        self._expected = []
        for cost, metric, dual in self.budgets:
            expected = cost({path: self._of(cost, path, probabilities) for path in cost.paths})[metric]
            self._expected.append(float(expected.detach()))
            terms[f"{metric}_penalty"] = dual.penalty(expected)
        return terms

    def ascend(self, step: int) -> None:
        """After a step of the architecture: the price of each budget rises or falls."""
        self.budgets = [
            (cost, metric, dual.stepped(expected))
            for (cost, metric, dual), expected in zip(self.budgets, self._expected, strict=True)
        ]

    def tensors(self) -> dict[str, Tensor]:
        """The multipliers, for a checkpoint."""
        return {f"{i}/{name}": value for i, (*_, dual) in enumerate(self.budgets) for name, value in dual.tensors().items()}

    def load(self, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        """Goes on from a checkpoint."""
        self.budgets = [
            (cost, metric, dual.restored({name: tensors[f"{i}/{name}"] for name in dual.tensors()}))
            for i, (cost, metric, dual) in enumerate(self.budgets)
        ]

    def _of(self, cost: ExpectedCost, path: str, probabilities: Mapping[str, Tensor]) -> Tensor:
        """What the search says of a decision; members that are summed without weights are all alike."""
        if (known := probabilities.get(path)) is not None:
            return known
        return torch.ones(len(cost.price.decisions[path].options), dtype=torch.float64)
