"""Which paths a training step activates: pure functions of (seed, step), so every rank and every resume draws the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from random import Random
from typing import Any

from common.errors import UserError
from common.space import Arch, Decision, Invalid, OneOf, decisions, record, sample
from common.space.walk import Oracle
from common.streams import stream

Policy = Callable[[int], list[Arch]]
"""Training step -> the paths whose gradients it accumulates."""

FAIR_TRIES = 64
"""Paths sampled in a fair order, and then in any, before one that keeps the rules is given up."""


def uniform(space: Any, seed: int) -> Policy:
    """One uniform path a step (SPOS, Guo et al. 2019; DetNAS's detection phase)."""
    return lambda step: [sample(space, stream(seed, "paths", step))]


def fair(space: Any, seed: int) -> Policy:
    """As many paths as the widest decision has options; over them every option of every decision is active equally often.

    Strict fairness of FairNAS (Chu et al. 2021, https://arxiv.org/abs/1907.01845, section 3.2): one permutation of the options
    per decision and step. A decision with fewer options, or one that is not on every path, goes round its permutation as often
    as it is met, so the counts of its options in a step differ by at most one.

    A path that breaks a `Where` rule is sampled again from the options whose turn is still to come. Where no such path is found,
    a path of the space whose options were least often active in the step takes its place: a rule can rule equal counts out.

    Raises:
        UserError: from the policy, where hardly any path keeps the rules of the space.
    """
    turns = max((len(decision) for decision in decisions(space).values()), default=1)

    def policy(step: int) -> list[Arch]:
        rounds = _Rounds(space, seed, step)
        return [rounds.path(number) for number in range(turns)]

    return policy


class _Rounds:
    """The options of each decision in an order of their own, gone round again and again by the paths of one step."""

    def __init__(self, space: Any, seed: int, step: int) -> None:
        self._space, self._seed, self._step = space, seed, step
        self._orders: dict[str, list[int]] = {}
        self._left: dict[str, list[int]] = {}  # of the present round, in order
        self._active: Counter[tuple[str, int]] = Counter()

    def path(self, number: int) -> Arch:
        """The next path: `number` counts those of the step."""
        for attempt in range(FAIR_TRIES):
            rng = stream(self._seed, "paths", self._step, "again", number, attempt) if attempt else None
            with suppress(Invalid):
                return self._taken(record(self._space, partial(self._next, rng)))
        rng = stream(self._seed, "paths", self._step, "any", number)
        archs = [sample(self._space, rng) for _ in range(FAIR_TRIES)]
        return self._taken(min(archs, key=lambda arch: sum(self._active[item] for item in arch.items())))

    def _next(self, rng: Random | None, name: str, decision: Decision) -> int:
        """The option whose turn it is; without an order, if `rng` is given."""
        if name not in self._orders:
            order = list(range(len(decision)))
            stream(self._seed, "paths", self._step, name).shuffle(order)
            self._orders[name] = order
        left = self._left.get(name) or self._orders[name]
        return left[0] if rng is None else rng.choice(left)

    def _taken(self, arch: Arch) -> Arch:
        for name, option in arch.items():
            left = self._left.get(name) or list(self._orders.get(name, ()))
            if option in left:
                left.remove(option)
            self._left[name] = left
        self._active.update(arch.items())
        return arch


def cost_bins(space: Any, seed: int, cost: Callable[[Arch], float], edges: Sequence[float], tries: int = 500) -> Policy:
    """One path a step from a cost bin drawn uniformly: uniform paths until one falls in, after `tries` any path.

    As in the official code of SPOS and DetNAS (seven bins of 10M MACs from 290M to 360M, 500 tries).

    Args:
        space: the description with open decisions.
        seed: of the stream of paths.
        cost: what the bins are in.
        edges: n + 1 ascending bounds of n half-open bins [low, high).
        tries: draws before any path is taken.
    """
    if len(edges) < 2 or list(edges) != sorted(set(edges)):
        raise UserError(f"cost bins need at least two ascending edges, not {list(edges)}")

    def policy(step: int) -> list[Arch]:
        rng = stream(seed, "paths", step)
        bin_ = rng.randrange(len(edges) - 1)
        for _ in range(tries):
            arch = sample(space, rng)
            if edges[bin_] <= cost(arch) < edges[bin_ + 1]:
                return [arch]
        return [sample(space, rng)]

    return policy


def sandwich(space: Any, seed: int, randoms: int = 2) -> Policy:
    """The largest path, the smallest, and `randoms` uniform ones.

    The sandwich rule of Yu and Huang 2019 (https://arxiv.org/abs/1903.05134), used by BigNAS (https://arxiv.org/abs/2003.11142).

    Raises:
        UserError: from the policy, where one of the two ends breaks a `Where` rule of the space.
    """

    def policy(step: int) -> list[Arch]:
        rng: Random = stream(seed, "paths", step)
        return [
            extreme(space, largest=True),
            extreme(space, largest=False),
            *(sample(space, rng) for _ in range(randoms)),
        ]

    return policy


def extreme(space: Any, *, largest: bool) -> Arch:
    """The architecture of the largest (smallest) options: by value where options are numbers, else the last (first).

    Raises:
        UserError: it breaks a `Where` rule of the space.
    """

    def oracle(_: str, decision: Decision) -> int:
        order = list(range(len(decision)))
        if isinstance(decision, OneOf) and all(isinstance(option, int | float) for option in decision.options):
            order.sort(key=lambda i: decision.options[i])
        return order[-1 if largest else 0]

    return _ruled(space, oracle, "largest" if largest else "smallest")


def _ruled(space: Any, oracle: Oracle, kind: str) -> Arch:
    try:
        return record(space, oracle)
    except Invalid as broken:
        raise UserError(f"the {kind} path breaks the rule {str(broken)!r} of its space; train uniform paths") from None
