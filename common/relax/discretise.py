"""From the strengths of a relaxed supernet's options to an architecture, freely or under a hard constraint."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, NamedTuple

from common.errors import UserError
from common.relax.budget import Budget, Guided
from common.relax.ranked import Ranked, Ranking
from common.relax.scores import Forbidden, OptionScores, Taboo, ranking
from common.space import Arch, Invalid, neighbours, record

BISECTIONS = 50
GUIDED_LOOKS = 200
"""Of the strongest architectures, so many are tried before a guide is followed."""
_EPSILON = 1e-9
_CLOSE, _STEEPEST = 1e-3, 1e6  # how well a multiplier is found; the largest one tried, where costs are 1


class Found(NamedTuple):
    """An architecture chosen under a constraint.

    Attributes:
        arch: the architecture; it is feasible.
        score: its score, a sum of logarithms of strengths: comparable between architectures of one call only.
        proven: whether no feasible architecture scores higher (by more than 1e-9); if not, it is the best that was found.
    """

    arch: Arch
    score: float
    proven: bool


def discretise(space: Any, strengths: OptionScores, forbidden: Forbidden = (), threshold: float | None = None) -> Arch:
    """The architecture of the strongest options: one rule for every space.

    * A `OneOf` takes its strongest allowed option.
    * A `ManyOf` takes its strongest members, as many as it allows; with `threshold`, those whose strength exceeds it, at most
      `high` and at least `low` of them. A member's strength is its own (1 where the `ManyOf` is given none) times that of each
      decision directly inside it: for a `OneOf` that of its strongest allowed option, for a `ManyOf` the product of its best
      members.
    * Of equals, those that come first.

    So, with strengths as their papers weigh: the two edges with the largest softmax among operations other than "none" (DARTS,
    1806.09055, section 2.4: `forbidden={"none"}`), softmax(alpha) * softmax(beta) (PC-DARTS, 1907.05737, equation 3 and section
    3.4), sigmoid(alpha) > 0.85 with at most two edges and one operation on each (FairDARTS, 1911.12126, section 4.3:
    `threshold=0.85` on a `ManyOf` of 0 to 2), the largest option of every edge, "none" included (SNAS, 1812.09926). Members
    that hold several decisions, and decisions nested deeper, are in none of them: that part of the rule is our own.

    Args:
        space: the description with open decisions.
        strengths: for every `OneOf` of several options, and for those `ManyOf` that have weights of their own: shape (n,), at
            least 0, one for each option or member. A strength of 0 counts as 1e-300.
        forbidden: labels of options that may not be taken, or a function of (decision path, label).
        threshold: of a member's strength.

    Raises:
        UserError: bad strengths, an unknown label, nothing allowed is left, or the result breaks a `Where` rule of the space.
    """
    first = next(ranking(space, strengths, forbidden, threshold).ranked(), None)
    if first is None:
        raise UserError("no architecture is left without the forbidden options; allow some")
    try:
        return _arch(space, first)
    except Invalid as broken:
        raise UserError(
            f"the strongest options break a rule of the space ({broken}); use discretise_within, which keeps it"
        ) from None


def discretise_within(
    space: Any,
    strengths: OptionScores,
    feasible: Callable[[Arch], bool],
    forbidden: Forbidden = (),
    threshold: float | None = None,
    most: int = 10_000,
) -> Found:
    """The strongest architecture among the feasible ones. Our own; no published method of this family gives a hard guarantee.

    The score of an architecture is the sum of the logarithms of the strengths taken, so that the strongest of all is what
    `discretise` gives: members of a `ManyOf` of variable size count relative to the threshold (to the weakest member, if there
    is none), decisions inside the options of a `OneOf` relative to their own best, since there the options do not compete
    through them. `Where` rules are kept.

    With a function as constraint, architectures are asked for in order of decreasing score: the first feasible one is the best,
    and is always proven.

    With a `Budget` the order is that of score - mu * cost, with mu from a bisection (Lagrangian relaxation; Everett 1963).
    Where the cost is a sum over branches of the space, that is exact; else a lower bound of the cost takes its place. Every
    architecture within the budget scores at most score - mu * (bound - budget), so that the best one found is proven as soon as
    what follows cannot beat it. If `most` architectures do not suffice, it is improved by changing one decision at a time and
    returned unproven.

    With a `Guided` constraint the strongest are tried first; then those in order of score - mu * guide, mu being the least
    at which the first of them is feasible, and that one is improved by changing one decision at a time. It is returned unproven.

    Args:
        space: the description with open decisions.
        strengths: as for `discretise`.
        feasible: a `Budget`, a `Guided` constraint, or any function of an architecture.
        forbidden: as for `discretise`.
        threshold: as for `discretise`.
        most: architectures looked at before giving up on the best, or, with a function, on any.

    Raises:
        UserError: nothing is feasible (with the least cost there is, for a budget), or nothing was found to be; bad strengths.
    """
    ranks = ranking(space, strengths, forbidden, threshold)
    if isinstance(feasible, Budget):
        return _within_budget(space, ranks, feasible, most, _without(forbidden))
    if isinstance(feasible, Guided):
        return _guided(space, ranks, feasible)
    for i, way in enumerate(ranks.ranked()):
        if i == most:
            raise UserError(f"none of the {most:,} strongest architectures is feasible; loosen the constraint or look at more")
        if (arch := _valid(space, way)) is not None and feasible(arch):
            return Found(arch, way.score, True)
    raise UserError("no architecture of the space is feasible; loosen the constraint")


def _without(forbidden: Forbidden) -> str:
    labels = forbidden.labels if isinstance(forbidden, Taboo) else () if callable(forbidden) else forbidden
    return f" without {', '.join([labels] if isinstance(labels, str) else sorted(labels))}" if labels else ""


def _arch(space: Any, way: Ranked) -> Arch:
    choices = way.choices()
    return record(space, lambda path, _: choices[path])


def _valid(space: Any, way: Ranked) -> Arch | None:
    try:
        return _arch(space, way)
    except Invalid:
        return None


def _within_budget(space: Any, ranks: Ranking, budget: Budget, most: int, without: str) -> Found:
    strongest = _first_valid(space, ranks.ranked(), 1)
    if strongest is not None and budget(strongest[0]):
        return Found(strongest[0], strongest[1].score, True)
    constant, bounds = budget.bounds()
    ranks = dataclasses.replace(ranks, bounds=bounds)
    room = budget.upper - constant
    arch = _cheapest(space, ranks, budget, most, without, constant)
    found = Found(arch, _score(ranks, arch), False)
    mu = _multiplier(ranks, room)
    for i, way in enumerate(ranks.ranked(1.0, mu)):
        if way.value + mu * room <= found.score + _EPSILON:
            return found._replace(proven=True)
        if i == most:
            return _improved(space, ranks, budget, found)
        if way.score > found.score and way.cost <= room + _EPSILON * budget.upper:
            candidate = _valid(space, way)
            if candidate is not None and budget(candidate):
                found = Found(candidate, way.score, False)
    return found._replace(proven=True)


def _guided(space: Any, ranks: Ranking, constraint: Guided) -> Found:
    for way in islice(ranks.ranked(), GUIDED_LOOKS):
        if (arch := _valid(space, way)) is not None and constraint(arch):
            return Found(arch, way.score, True)
    steered = dataclasses.replace(ranks, bounds=constraint.guide)

    def first(weight: float, mu: float) -> Arch | None:
        arch = _valid(space, next(steered.ranked(weight, mu)))
        return arch if arch is not None and constraint(arch) else None

    low, high = 0.0, 1 / max(next(steered.ranked()).cost, _EPSILON)
    found = None
    steepest = _STEEPEST * high
    while high < steepest and (found := first(1.0, high)) is None:
        low, high = high, 4 * high
    if found is None and (found := first(0.0, 1.0)) is None:
        raise UserError("no architecture was found that is feasible; loosen the constraint")
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        if (better := first(1.0, middle)) is None:
            low = middle
        else:
            high, found = middle, better
        if high - low <= _CLOSE * high:
            break
    return _improved(space, ranks, constraint, Found(found, _score(ranks, found), False))


def _first_valid(space: Any, ways: Iterator[Ranked], most: int) -> tuple[Arch, Ranked] | None:
    for i, way in enumerate(ways):
        if i == most:
            return None
        if (arch := _valid(space, way)) is not None:
            return arch, way
    return None


def _cheapest(space: Any, ranks: Ranking, budget: Budget, most: int, without: str, constant: float) -> Arch:
    """The cheapest allowed architecture, or any one within the budget that is met on the way to it.

    Raises:
        UserError: it costs more than the budget.
    """
    least: tuple[float, Arch] | None = None
    proven = True
    for i, way in enumerate(ranks.ranked(0.0, 1.0)):
        if least is not None and way.cost + constant >= least[0] * (1 - _EPSILON):
            break
        if i == most:
            proven = False
            break
        if (arch := _valid(space, way)) is None:
            continue
        cost = budget.price.value(arch, budget.metric)
        if least is None or cost < least[0]:
            least = cost, arch
        if cost <= budget.upper:
            return arch
    name = f"budget {budget.metric}={budget.upper:g}"
    if least is None:
        raise UserError(f"{name}: no valid architecture{without} was found among the {most:,} cheapest; loosen the space's rules")
    which = f"the cheapest architecture{without}" + ("" if proven else " found")
    raise UserError(f"{name} is impossible: {which} costs {least[0]:,} {budget.metric}; raise the budget")


def _multiplier(ranks: Ranking, room: float) -> float:
    """The price of a unit of cost at which the best architecture comes down to the budget: the least dual bound."""

    def fits(mu: float) -> bool:
        way = next(ranks.ranked(1.0, mu))
        return way.cost <= room

    high = 1 / max(abs(room), 1.0)
    for _ in range(BISECTIONS):
        if fits(high):
            break
        high *= 4
    else:
        return high
    low = 0.0
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (low, middle) if fits(middle) else (middle, high)
        if high - low <= _EPSILON * high:
            break
    return high


def _score(ranks: Ranking, arch: Arch) -> float:
    return sum(ranks.scores[path][option] for path, option in arch.items())


def _improved(space: Any, ranks: Ranking, feasible: Callable[[Arch], bool], found: Found) -> Found:
    while True:
        scored = [(_score(ranks, arch), arch) for arch in neighbours(space, found.arch)]
        better = sorted((entry for entry in scored if entry[0] > found.score + _EPSILON), key=lambda entry: -entry[0])
        following = next((entry for entry in better if feasible(entry[1])), None)
        if following is None:
            return found
        found = Found(following[1], following[0], False)
