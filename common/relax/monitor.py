"""Watching a differentiable search: is it deciding, is it collapsing, and should it stop?

On plain data alone. A history is one `Snapshot` per epoch; every stop rule is a function of the whole history, without a state of
its own, so that a resumed run that reads its history back stops where the run that never stopped would have.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from common.errors import UserError

LabelledScores = Mapping[str, Mapping[str, float]]
"""Decision path -> option label -> how strong the option is: a probability, a gate or a logit."""

WITHOUT_WEIGHTS = ("none", "skip_connect", "max_pool_3x3", "avg_pool_3x3")
"""The operations of the DARTS space that have nothing to learn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A search after one epoch."""

    strengths: LabelledScores
    """Of the decisions whose options are watched: operations, as a rule, not edges."""
    derived: Mapping[str, str]
    """The architecture that would be derived now: decision path -> option label, as `common.arch.labels` gives it."""
    score: float | None = None
    """How good the search network is on validation data; higher is better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entropy:
    """How undecided a search is; falls to 0 as decisions become one-hot."""

    nats: float
    """Mean over decisions of -sum p log p."""
    share: float
    """Mean over decisions of that over log n, n being the decision's options: from 0 (decided) to 1 (uniform)."""


def entropy(probabilities: LabelledScores) -> Entropy:
    """Mean entropy of decisions. One with a single option counts as decided.

    Args:
        probabilities: each decision's add up to 1. Gates of their own (sigmoid) are decisions of two options, p and 1 - p.

    Raises:
        UserError: no decision, or one without a distribution.
    """
    if not probabilities:
        raise UserError("there are no decisions to take the entropy of; give at least one")
    nats, shares = [], []
    for path, options in probabilities.items():
        p = list(options.values())
        if not all(0 <= x <= 1 for x in p) or abs(math.fsum(p) - 1) > 1e-4:
            raise UserError(f"decision {path!r} has strengths {p}: entropy needs probabilities that add up to 1; normalise them")
        nats.append(-math.fsum(x * math.log(x) for x in p if x > 0) + 0.0)
        shares.append(nats[-1] / math.log(len(p)) if len(p) > 1 else 0.0)
    return Entropy(nats=math.fsum(nats) / len(nats), share=math.fsum(shares) / len(shares))


def best_options(strengths: LabelledScores, without: Collection[str] = ()) -> dict[str, str]:
    """Each decision's strongest option, the first of equals.

    Args:
        strengths: as in a snapshot.
        without: options that are passed over, `none` say, which DARTS never derives. A decision with no other is left out.
    """
    offers = {path: {o: s for o, s in options.items() if o not in without} for path, options in strengths.items()}
    return {path: max(options, key=options.__getitem__) for path, options in offers.items() if options}


def share(strengths: LabelledScores, option: str, within: str = "", without: Collection[str] = ()) -> float:
    """The share of decisions, of those that offer `option`, in which it is the strongest: 1 for `skip_connect` is collapse.

    Args:
        strengths: as in a snapshot.
        option: label.
        within: only decisions under this path, `normal` say.
        without: as in `best_options`.

    Raises:
        UserError: no decision there offers it.
    """
    offering = {path: options for path, options in strengths.items() if option in options and _under(path, within)}
    if not offering:
        raise UserError(f"no decision {_where(within)}offers option {option!r}; watch one of {_offers(strengths)}")
    return sum(taken == option for taken in best_options(offering, without).values()) / len(offering)


def count(derived: Mapping[str, str], options: Collection[str], within: str = "") -> int:
    """In how many decisions of an architecture one of `options` was taken.

    Args:
        derived: decision path -> option label.
        options: labels.
        within: only decisions under this path.

    Raises:
        UserError: there is no decision under `within`.
    """
    taken = [label for path, label in derived.items() if _under(path, within)]
    if within and not taken:
        raise UserError(f"no decision {_where(within)}exists; the architecture has {', '.join(derived)}")
    return sum(label in options for label in taken)


class StopRule(Protocol):
    """When a search has gone on for long enough."""

    def stops(self, history: Sequence[Snapshot]) -> bool:
        """Whether the search ends after the last epoch of `history`; once true, true for every longer history."""
        ...


def stopped_after(rule: StopRule, history: Sequence[Snapshot]) -> int | None:
    """After how many epochs of `history` the rule ends the search; None if it does not."""
    return next((n for n in range(1, len(history) + 1) if rule.stops(history[:n])), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class SkipStop:
    """Stop as soon as the derived cell holds too many skips: rule 1 of DARTS+ (1909.06035)."""

    limit: int = 2
    """So many are too many."""
    option: str = "skip_connect"
    within: str = "normal"
    """Path of the cell that is watched; "" is the whole architecture."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: `limit` is below 1.
        """
        _at_least_one("limit", self.limit)

    def stops(self, history: Sequence[Snapshot]) -> bool:
        """Whether any epoch's derived architecture reached the limit."""
        return any(count(epoch.derived, (self.option,), self.within) >= self.limit for epoch in history)


@dataclass(frozen=True, slots=True, kw_only=True)
class RankStop:
    """Stop when the order of each decision's learnable options has settled: rule 1* of DARTS+ (1909.06035)."""

    epochs: int = 10
    """After so many epochs in a row that each left every order as it was; the first epoch has nothing to be compared with."""
    without: tuple[str, ...] = WITHOUT_WEIGHTS
    """Options that are not learnable: where they stand in the order does not matter."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: `epochs` is below 1.
        """
        _at_least_one("epochs", self.epochs)

    def stops(self, history: Sequence[Snapshot]) -> bool:
        """Whether the orders have ever stayed for that long. Options of equal strength keep their own order."""
        unchanged, before = 0, None
        for epoch in history:
            now = {path: self._order(options) for path, options in epoch.strengths.items()}
            unchanged = unchanged + 1 if now == before else 0
            if unchanged >= self.epochs:
                return True
            before = now
        return False

    def _order(self, options: Mapping[str, float]) -> list[str]:
        return sorted((option for option in options if option not in self.without), key=lambda option: -options[option])


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeStop:
    """Stop when the derived architecture has become smaller than wanted: MiLeNAS (2003.12238).

    The paper does not say what a search does that has not grown to the wanted size yet; here it goes on, as random strengths at
    the start can derive a small one.
    """

    wanted: int
    """Number of convolutions."""
    convolutions: tuple[str, ...]
    """Labels of the options that count as one."""
    within: str = ""
    """Path of the cell that is counted; "" is the whole architecture."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: `wanted` is below 1.
        """
        _at_least_one("wanted", self.wanted)

    def stops(self, history: Sequence[Snapshot]) -> bool:
        """Whether the size has fallen below what is wanted, having reached it."""
        reached = False
        for epoch in history:
            enough = count(epoch.derived, self.convolutions, self.within) >= self.wanted
            if reached and not enough:
                return True
            reached = reached or enough
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """The best epoch of one size."""

    epoch: int
    """Its position in the history, from 0."""
    score: float
    derived: Mapping[str, str]


def best_by_size(history: Sequence[Snapshot], size: Callable[[Mapping[str, str]], int]) -> dict[int, Best]:
    """The size tracking of MiLeNAS (2003.12238): one search gives an architecture for every size it met.

    Args:
        history: epochs without a score, or with one that is not finite, are passed over.
        size: of a derived architecture; the paper's is `lambda derived: count(derived, CONVOLUTIONS)`.

    Returns:
        Size, ascending -> the epoch with the highest score, the earliest of equals.
    """
    best: dict[int, Best] = {}
    for i, epoch in enumerate(history):
        if epoch.score is None or not math.isfinite(epoch.score):
            continue
        n = size(epoch.derived)
        if n not in best or epoch.score > best[n].score:
            best[n] = Best(epoch=i, score=epoch.score, derived=epoch.derived)
    return dict(sorted(best.items()))


def _under(path: str, within: str) -> bool:
    return not within or path == within or path.startswith((within + ".", within + "["))


def _where(within: str) -> str:
    return f"under {within!r} " if within else ""


def _offers(strengths: LabelledScores) -> str:
    return ", ".join(dict.fromkeys(option for options in strengths.values() for option in options)) or "none at all"


def _at_least_one(name: str, value: int) -> None:
    if value < 1:
        raise UserError(f"{name} is {value}; give a whole number of 1 or more")
