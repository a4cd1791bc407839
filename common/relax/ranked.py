"""All architectures of a space, best first, without making more of them than are asked for.

A score is a sum over live decisions. Decisions that hang on each other form trees; inside a tree the options of a decision are
merged, side by side its independent parts are combined, both lazily through heaps (Lawler 1972's partition of what is left, so
that nothing is met twice). Ranking a chain of 20 layers with 8 options each takes as long as is looked at, not 8^20.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import NamedTuple

from common.cost.conditions import ABSENT, Condition


class Bound(NamedTuple):
    """A cost that depends on decisions of one branch of the tree.

    Attributes:
        chain: a decision and all that it hangs on, outermost first.
        paths: those of them that matter.
        values: options of `paths` (`ABSENT` where one is not live) -> cost; 0 where there is none.
    """

    chain: tuple[str, ...]
    paths: tuple[str, ...]
    values: Mapping[tuple[int, ...], float]


class Ranked(NamedTuple):
    """A way to settle some decisions.

    Attributes:
        value: what is ranked by: `weight * score - price * cost`.
        score: sum of the scores of the options taken.
        cost: sum of the bounds.
        parts: the decisions settled, as nested pairs (read them with `choices`).
    """

    value: float
    score: float
    cost: float
    parts: tuple[tuple[str, int] | None, tuple[Ranked, ...]]

    def choices(self) -> dict[str, int]:
        """Decision path -> option."""
        own, inner = self.parts
        found = {} if own is None else {own[0]: own[1]}
        for part in inner:
            found.update(part.choices())
        return found


class _Lazy:
    """A generator whose results are kept."""

    def __init__(self, source: Iterator[Ranked]) -> None:
        self._source = source
        self._kept: list[Ranked] = []

    def at(self, position: int) -> Ranked | None:
        while len(self._kept) <= position:
            if (following := next(self._source, None)) is None:
                return None
            self._kept.append(following)
        return self._kept[position]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """What is ranked.

    Attributes:
        conditions: decision -> what it hangs on, parents first (`common.cost.conditions`).
        scores: decision -> score of each option; `-inf` for one that may not be taken.
        orders: decision -> its options in the order that decides between equals; as they are numbered by default.
        bounds: costs.
    """

    conditions: Mapping[str, Condition | None]
    scores: Mapping[str, Sequence[float]]
    orders: Mapping[str, Sequence[int]] = field(default_factory=dict)
    bounds: Sequence[Bound] = ()

    def ranked(self, weight: float = 1.0, price: float = 0.0) -> Iterator[Ranked]:
        """Every way to settle all decisions, by decreasing `weight * score - price * cost`.

        Args:
            weight: of the score, at least 0.
            price: of the cost, at least 0.
        """
        children: dict[str, list[tuple[str, frozenset[int]]]] = {}
        for path, condition in self.conditions.items():
            if condition is not None:
                children.setdefault(condition[0], []).append((path, condition[1]))
        at: dict[str, list[tuple[Bound, int]]] = {}
        for bound in self.bounds:
            for position, path in enumerate(bound.chain):
                at.setdefault(path, []).append((bound, position))

        def cost(path: str, taken: Mapping[str, int]) -> float:
            """Of the bounds that are decided here: the last of their decisions is taken, or the next one is not live."""
            total = 0.0
            for bound, position in at.get(path, ()):
                if position + 1 < len(bound.chain):
                    following = self.conditions[bound.chain[position + 1]]
                    assert following is not None
                    if taken[path] in following[1]:
                        continue
                total += bound.values.get(tuple([taken.get(p, ABSENT) for p in bound.paths]), 0.0)
            return total

        def options(path: str, above: Mapping[str, int]) -> Iterator[Ranked]:
            streams = []
            for option in self.orders.get(path, range(len(self.scores[path]))):
                if (score := self.scores[path][option]) == -inf:
                    continue
                taken = {**above, path: option}
                inner = [_Lazy(options(child, taken)) for child, live in children.get(path, ()) if option in live]
                c = cost(path, taken)
                streams.append(_together(Ranked(weight * score - price * c, score, c, ((path, option), ())), inner))
            return heapq.merge(*streams, key=lambda way: -way.value)

        roots = [_Lazy(options(path, {})) for path, condition in self.conditions.items() if condition is None]
        return _together(Ranked(0.0, 0.0, 0.0, (None, ())), roots)


def _together(base: Ranked, parts: Sequence[_Lazy]) -> Iterator[Ranked]:
    """Every combination of one way of each part, best first."""

    def combined(vector: tuple[int, ...]) -> Ranked | None:
        value, score, cost = base.value, base.score, base.cost
        ways: list[Ranked] = []
        for part, position in zip(parts, vector, strict=True):
            if (way := part.at(position)) is None:
                return None
            value, score, cost = value + way.value, score + way.score, cost + way.cost
            ways.append(way)
        return Ranked(value, score, cost, (base.parts[0], tuple(ways)))

    first: tuple[int, ...] = (0,) * len(parts)
    if (best := combined(first)) is None:
        return
    heap: list[tuple[float, tuple[int, ...], Ranked]] = [(-best.value, first, best)]
    while heap:
        _, vector, way = heapq.heappop(heap)
        yield way
        last = max((i for i, position in enumerate(vector) if position), default=0)
        for i in range(last, len(vector)):  # each vector has one predecessor: the one with its last number lowered
            following = (*vector[:i], vector[i] + 1, *vector[i + 1 :])
            if (more := combined(following)) is not None:
                heapq.heappush(heap, (-more.value, following, more))
