"""What the strengths of the options say about a whole architecture: its score, a sum over its live decisions.

`discretise` takes the architecture of the greatest score, `discretise_within` the greatest among the feasible ones, so one rule
serves both.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite, log
from typing import Any

from torch import Tensor

from common.cost.conditions import conditions_of
from common.errors import UserError
from common.relax.ranked import Ranking
from common.space import Decision, ManyOf, OneOf, decisions

OptionScores = Mapping[str, Tensor | Sequence[float]]
"""Decision -> a number from 0 on for each option of a `OneOf`, each member of a `ManyOf`: probabilities, gates, weights."""

Forbidden = Collection[str] | Callable[[str, str], bool]
"""Labels of options and members that may not be taken at any decision, or a function of decision path and label."""


@dataclass(frozen=True, slots=True)
class Taboo:
    """Options that may not be taken: those of some labels everywhere, and others at single decisions.

    Attributes:
        labels: of the options that are forbidden everywhere.
        dropped: decision -> labels of the options that are out of question there.
    """

    labels: frozenset[str]
    dropped: Mapping[str, Collection[str]]

    def __call__(self, path: str, label: str) -> bool:
        """Whether an option of a decision may not be taken."""
        return label in self.labels or label in self.dropped.get(path, ())


TINY = 1e-300
"""What a strength of 0 counts as, so that an option of no strength is the last resort but not impossible."""


def ranking(space: Any, strengths: OptionScores, forbidden: Forbidden = (), threshold: float | None = None) -> Ranking:
    """How the architectures of `space` are scored (the rule is described at `common.relax.discretise.discretise`).

    Raises:
        UserError: strengths that are missing, superfluous, negative, not finite or too few; a label that no option has; a
            threshold that is not above 0; a decision that is in every architecture and has all its options forbidden.
    """
    known, conditions = decisions(space), conditions_of(space)
    if threshold is not None and not threshold > 0:
        raise UserError(f"threshold {threshold:g}: it must be greater than 0; None takes as many as allowed")
    taboo = _predicate(known, forbidden)
    logs = _logarithms(known, strengths)
    children: dict[str, list[str]] = {}
    for path, condition in conditions.items():
        if condition is not None:
            children.setdefault(condition[0], []).append(path)
    scores: dict[str, list[float]] = {}
    orders: dict[str, list[int]] = {}
    best: dict[str, float] = {}

    def inside(path: str, options: Callable[[frozenset[int]], bool]) -> float:
        """The best scores of the decisions that hang on `path` under the options asked for."""
        return sum(best[c] for c in children.get(path, ()) if (condition := conditions[c]) is not None and options(condition[1]))

    for path in reversed(list(conditions)):
        decision = known[path]
        own = [-inf if taboo(path, label) else value for label, value in zip(decision.labels, logs[path], strict=True)]
        if isinstance(decision, OneOf):
            scores[path] = own
        else:
            subsets = [decision.subset(rank) for rank in range(len(decision))]
            reference = 0.0
            if decision.low < decision.high:
                of = [frozenset(r for r, s in enumerate(subsets) if i in s) for i in range(len(own))]
                whole = [own[i] + inside(path, of[i].__eq__) for i in range(len(own))]
                reference = min((w for w in whole if w > -inf), default=0.0) if threshold is None else log(threshold)
                larger_first = -1 if threshold is None else 1
                orders[path] = sorted(range(len(subsets)), key=lambda r: (larger_first * len(subsets[r]), r))
            scores[path] = [sum(own[i] - reference for i in subset) for subset in subsets]
        best[path] = max(s + inside(path, lambda live, o=o: o in live) for o, s in enumerate(scores[path]))
        condition = conditions[path]
        if condition is None and best[path] == -inf:
            raise UserError(f"decision {path!r}: every option is forbidden, or cannot do without one that is; allow one")
        if condition is not None and isinstance(known[condition[0]], OneOf) and best[path] > -inf:
            scores[path] = [s - best[path] for s in scores[path]]
            best[path] = 0.0
    return Ranking(conditions=conditions, scores=scores, orders=orders)


def _predicate(known: Mapping[str, Decision], forbidden: Forbidden) -> Callable[[str, str], bool]:
    if callable(forbidden):
        return forbidden
    labels = {forbidden} if isinstance(forbidden, str) else set(forbidden)
    there = {label for decision in known.values() for label in decision.labels}
    if odd := sorted(labels - there):
        raise UserError(
            f"forbidden option {odd[0]!r}: no decision has an option of that label; there are {', '.join(sorted(there))}"
        )
    return lambda _, label: label in labels


def _logarithms(known: Mapping[str, Decision], strengths: OptionScores) -> dict[str, list[float]]:
    if odd := [path for path in strengths if path not in known]:
        raise UserError(f"strengths of {odd[0]!r}: the space has no such decision; leave it out")
    found: dict[str, list[float]] = {}
    for path, decision in known.items():
        n = len(decision.options)
        if path not in strengths:
            if n > 1 and not isinstance(decision, ManyOf):
                raise UserError(f"decision {path!r} has no strengths; give one for each of its {n} options")
            found[path] = [0.0] * n
            continue
        given = strengths[path]
        values = [float(v) for v in (given.detach().flatten().tolist() if isinstance(given, Tensor) else given)]
        if len(values) != n:
            raise UserError(f"decision {path!r}: {len(values)} strengths for {n} options; give one each")
        for label, value in zip(decision.labels, values, strict=True):
            if not (isfinite(value) and value >= 0):
                raise UserError(
                    f"decision {path!r}: the strength of {label} is {value:g}; strengths are finite numbers from 0 on, such as a "
                    "softmax or sigmoid of the logits"
                )
        found[path] = [log(max(value, TINY)) for value in values]
    return found
