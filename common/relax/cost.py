"""Cost in the loss of a differentiable search: penalties on the expected cost, and constraints that hold.

Penalties trade accuracy for cost at a price that has to be guessed. `DualAscent` finds that price for a given budget while the
search runs; `project` puts the logits back inside it. The expected cost is that of `common.cost.expected`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from common.cost.expected import ExpectedCost
from common.cost.prices import Metric
from common.errors import UserError
from common.space import ManyOf

TOLERANCE = 1e-9
"""By what part of the budget a projected expectation may exceed it: rounding."""

DIRECTIONS = 20
BISECTIONS = 100
_STEEPEST = 1e12


def linear(expected: Tensor, target: float, weight: float = 0.1) -> Tensor:
    """weight * (E - target) / target, to be added to the loss (ProxylessNAS, 1812.00332, `add#linear` of its released code).

    Args:
        expected: the expected cost E, a scalar.
        target: in the same unit, above 0.
        weight: lambda; 0.1 in the released code.

    Raises:
        UserError: a target that is not above 0.
    """
    _positive("target", target)
    return weight * (expected - target) / target


def mul_log(loss: Tensor, expected: Tensor, target: float, scale: float = 0.2, power: float = 0.3) -> Tensor:
    """scale * loss * (log E / log target)^power (ProxylessNAS, 1812.00332, `mul#log` of its released code).

    Args:
        loss: the loss without cost, a scalar; it is multiplied, so it must not be negative.
        expected: the expected cost E, a scalar above 1 in the unit that is used.
        target: in the same unit, above 1.
        scale: a; 0.2 in the released code.
        power: beta; 0.3 in the released code.

    Raises:
        UserError: E or the target is not above 1: their logarithms would vanish or change sign.
    """
    for name, value in (("expected cost", float(expected.detach())), ("target", target)):
        if not value > 1:
            raise UserError(f"mul_log: the {name} is {value:g}, but logarithms are divided: use a unit in which it is above 1")
    return scale * loss * (torch.log(expected) / torch.log(expected.new_tensor(target))) ** power


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DualAscent:
    """A budget on the expected cost, kept by a price that rises while it is exceeded and falls while it is not.

    Projected subgradient ascent on the dual, lambda <- max(0, lambda + rate * (E / budget - 1)) (Arrow, Hurwicz and Uzawa 1958).
    That it is used on the expected cost of a supernet is our own: the papers of this family fix lambda by hand. The budget holds
    in the limit, not at every step; for the latter see `project`.

    A value, not an object with state: `stepped` returns the next one.

    Attributes:
        budget: of the expected cost, above 0.
        rate: per step, above 0.
        multiplier: lambda, at least 0.

    Raises:
        UserError: a number out of range.
    """

    budget: float
    rate: float = 0.01
    multiplier: float = 0.0

    def __post_init__(self) -> None:
        _positive("budget", self.budget)
        _positive("rate", self.rate)
        if not 0 <= self.multiplier < float("inf"):
            raise UserError(f"multiplier={self.multiplier:g}: it must be a number from 0 on")

    def penalty(self, expected: Tensor) -> Tensor:
        """lambda * (E / budget - 1), to be added to the loss."""
        return self.multiplier * (expected / self.budget - 1)

    def stepped(self, expected: Tensor | float) -> DualAscent:
        """The next state, after a step at which the expected cost was `expected`.

        Raises:
            UserError: it is not a finite number.
        """
        value = float(expected.detach()) if isinstance(expected, Tensor) else float(expected)
        if not abs(value) < float("inf"):
            raise UserError(f"the expected cost is {value:g}: the probabilities behind it must be finite")
        moved = max(0.0, self.multiplier + self.rate * (value / self.budget - 1))
        return dataclasses.replace(self, multiplier=moved)

    def tensors(self) -> dict[str, Tensor]:
        """The state, for a checkpoint."""
        return {"multiplier": torch.tensor(self.multiplier, dtype=torch.float64)}

    def restored(self, tensors: Mapping[str, Tensor]) -> DualAscent:
        """With the state of a checkpoint; budget and rate stay."""
        return dataclasses.replace(self, multiplier=float(tensors["multiplier"]))


class Projected(NamedTuple):
    """Logits whose expected cost is within a budget.

    Attributes:
        logits: decision -> new values, detached, of the type and on the device of those given.
        multiplier: mu; 0 if nothing had to change.
        expected: the expected cost now.
    """

    logits: dict[str, Tensor]
    multiplier: float
    expected: float


def project(logits: Mapping[str, Tensor], cost: ExpectedCost, metric: Metric, budget: float) -> Projected:
    """The logits a - mu * c, with mu from a bisection, whose expected cost comes down to the budget. Our own.

    c is the gradient of the expected cost by the probabilities at the given logits; for a `ManyOf`, whose cost is by subsets, the
    members' part in it (least squares). Where the cost is a sum over decisions, c is constant, softmax(a - mu c) is the
    distribution nearest to softmax(a) in relative entropy that keeps the budget, and the expected cost falls with mu. Where it
    is not (an operation costs only on an edge that is taken), the budget is kept as well, but nearness is not claimed: if
    following c as far as it goes does not reach the budget, c is taken anew where it led. The cheapest option of a `OneOf` keeps
    its logit. Close to the cheapest architecture the distribution is nearly certain and hardly learns any more.

    Args:
        logits: of every decision in `cost.paths`: shape (n,); a member's odds are exp(logit).
        cost: the expected cost.
        metric: what is limited.
        budget: in parameters or multiply-adds.

    Returns:
        Logits with an expected cost of at most budget * (1 + 1e-9) as calculated from them; those given if they have it already.

    Raises:
        UserError: the budget cannot be reached; the cost of the cheapest point met is named.
    """
    given = {path: values.detach() for path, values in logits.items()}
    slope, now = _slope(given, cost, metric)
    if not abs(now) < float("inf"):
        raise UserError(f"the expected {metric} is {now:g}: logits must be finite")
    most, cheapest = budget * (1 + TOLERANCE), now
    if now <= most:
        return Projected(given, 0.0, now)
    for _ in range(DIRECTIONS):
        reached = _within(given, slope, cost, metric, most)
        if isinstance(reached, Projected):
            return reached
        end = _moved(given, slope, reached)
        slope, least = _slope(end, cost, metric)
        if least >= cheapest * (1 - TOLERANCE):
            break
        cheapest = least
    raise UserError(
        f"budget {metric}={budget:g} is out of reach: the least expected {metric} found is {cheapest:,.0f}; raise the budget"
    )


def _within(
    given: Mapping[str, Tensor], slope: Mapping[str, Tensor], cost: ExpectedCost, metric: Metric, most: float
) -> Projected | float:
    """The least move along `slope` within the budget, or else how far it makes the decisions certain."""
    spread = max((float(c.max() - c.min()) for c in slope.values()), default=0.0)
    if spread <= 0:
        return 0.0
    low, high = 0.0, 1 / spread
    while (value := _value(_moved(given, slope, high), cost, metric)) > most:
        low, high = high, 4 * high
        if high * spread > _STEEPEST:
            return high
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        if not low < middle < high:
            break
        if (there := _value(_moved(given, slope, middle), cost, metric)) <= most:
            high, value = middle, there
        else:
            low = middle
    return Projected(_moved(given, slope, high), high, value)


def _moved(given: Mapping[str, Tensor], slope: Mapping[str, Tensor], mu: float) -> dict[str, Tensor]:
    return {
        path: (values.double() - mu * slope[path].to(values.device)).to(values.dtype) if path in slope else values
        for path, values in given.items()
    }


def _value(logits: Mapping[str, Tensor], cost: ExpectedCost, metric: Metric) -> float:
    with torch.no_grad():
        return float(cost.of_ranks(cost.ranks(logits))[metric])


def _slope(logits: Mapping[str, Tensor], cost: ExpectedCost, metric: Metric) -> tuple[dict[str, Tensor], float]:
    """The cost of each option or member, everything else being as likely as it is, and the expected cost."""
    with torch.enable_grad():
        ranks = {path: values.detach().requires_grad_() for path, values in cost.ranks(logits).items()}
        total = cost.of_ranks(ranks)[metric]
    found = torch.autograd.grad(total, list(ranks.values()), allow_unused=True) if total.requires_grad else [None] * len(ranks)
    slope: dict[str, Tensor] = {}
    for (path, values), gradient in zip(ranks.items(), found, strict=True):
        c = torch.zeros_like(values) if gradient is None else gradient
        decision = cost.price.decisions[path]
        slope[path] = _of_members(decision, c) if isinstance(decision, ManyOf) else c - c.min()
    return slope, float(total.detach())


def _of_members(decision: ManyOf, by_rank: Tensor) -> Tensor:
    """Shape (members,): the costs whose sums over subsets, up to a constant, are nearest to `by_rank`."""
    taken = by_rank.new_zeros(len(decision), len(decision.options))
    for rank in range(len(decision)):
        taken[rank, list(decision.subset(rank))] = 1
    centred = taken - taken.mean(0)
    return torch.linalg.pinv(centred) @ (by_rank - by_rank.mean())


def _positive(name: str, value: float) -> None:
    if not 0 < value < float("inf"):
        raise UserError(f"{name}={value:g}: it must be a number above 0")
