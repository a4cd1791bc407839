"""Which paths a training step activates: pure functions of (seed, step), so every rank and every resume draws the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from common.errors import UserError
from common.space import Arch, Decision, OneOf, sample
from common.space.walk import record
from common.streams import stream

Policy = Callable[[int], list[Arch]]
"""Training step -> the paths whose gradients it accumulates."""


def uniform(space: Any, seed: int) -> Policy:
    """One uniform path a step (SPOS, Guo et al. 2019; DetNAS's detection phase)."""
    return lambda step: [sample(space, stream(seed, "paths", step))]


def fair(space: Any, seed: int) -> Policy:
    """As many paths as the widest decision has options; over them every option of every decision is active equally often.

    Strict fairness of FairNAS (Chu et al., 2019, section 3.2): one permutation of the options per decision and step. Decisions
    with fewer options go round their permutation again, so their counts differ by at most one.
    """

    def policy(step: int) -> list[Arch]:
        orders: dict[str, list[int]] = {}

        def path(turn: int) -> Arch:
            def oracle(name: str, decision: Decision) -> int:
                if name not in orders:
                    orders[name] = list(range(len(decision)))
                    stream(seed, "paths", step, name).shuffle(orders[name])
                return orders[name][turn % len(decision)]

            return record(space, oracle)

        first = path(0)
        return [first, *(path(turn) for turn in range(1, max(len(order) for order in orders.values())))]

    return policy


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
    """The largest path, the smallest, and `randoms` uniform ones (Yu and Huang 2019; BigNAS, section 3)."""

    def policy(step: int) -> list[Arch]:
        rng: Random = stream(seed, "paths", step)
        return [
            extreme(space, largest=True),
            extreme(space, largest=False),
            *(sample(space, rng) for _ in range(randoms)),
        ]

    return policy


def extreme(space: Any, *, largest: bool) -> Arch:
    """The architecture of the largest (smallest) options: by value where options are numbers, else the last (first)."""

    def oracle(_: str, decision: Decision) -> int:
        order = list(range(len(decision)))
        if isinstance(decision, OneOf) and all(isinstance(option, int | float) for option in decision.options):
            order.sort(key=lambda i: decision.options[i])
        return order[-1 if largest else 0]

    return record(space, oracle)
