"""The cheapest and the dearest architecture of a space, and budgets that no architecture can meet.

Costs are sums of tables, each over a few decisions, so the extreme is found by eliminating decisions one by one (bucket
elimination, Dechter 1999): exact, and quick as long as few decisions meet in a table. Otherwise small spaces are enumerated
and large ones searched, and the answer says that it is not proven.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice, product
from math import inf, prod
from operator import mul
from random import Random
from typing import Any, Literal, NamedTuple

from common.cost.conditions import ABSENT, Condition, assignments, valid, with_options
from common.cost.prices import Metric, Prices
from common.errors import UserError
from common.space import Arch, enumerate_all, neighbours, sample, size

Factor = tuple[tuple[str, ...], dict[tuple[int, ...], float]]

MOST_ENTRIES = 4096
"""Table entries filled, or architectures enumerated, for a proof."""

WIDEST = 200_000
"""Entries of the largest table made while eliminating."""

STARTS = 4
"""Random starts of the search where nothing can be proven."""


class Extreme(NamedTuple):
    """An architecture at one end of the space.

    Attributes:
        arch: the architecture.
        value: what it costs.
        exact: whether no other architecture goes further; if not, it is the furthest that a local search found.
    """

    arch: Arch
    value: float
    exact: bool


class Least(NamedTuple):
    """The least of a cost.

    Attributes:
        value: the cost.
        known: `exact`: that of the cheapest architecture; `found`: that of the cheapest one found; `bound`: none costs less.
    """

    value: float
    known: Literal["exact", "found", "bound"] = "exact"


def cheapest(price: Prices, metric: Metric) -> Extreme:
    """The cheapest architecture, its cost, and whether no other one is proven to be cheaper."""
    return extreme(price, metric, 1)


def dearest(price: Prices, metric: Metric) -> Extreme:
    """The most expensive architecture, its cost, and whether no other one is proven to cost more."""
    return extreme(price, metric, -1)


def extreme(price: Prices, metric: Metric, sign: Literal[1, -1]) -> Extreme:
    """The architecture with the least `sign * cost`."""
    if _complete(price) and (arch := _eliminated(price, metric, sign)) is not None and valid(price.space, arch):
        return Extreme(arch, price.value(arch, metric), True)
    if _is_small(price.space):
        return _best(price, metric, sign, enumerate_all(price.space), True)
    rng, ends = Random(0), []
    for _ in range(STARTS):
        arch = sample(price.space, rng)
        while (better := _best(price, metric, sign, [arch, *neighbours(price.space, arch)], False)).arch != arch:
            arch = better.arch
        ends.append(arch)
    return _best(price, metric, sign, ends, False)


def check_budget(price: Prices, metric: Metric, upper: float, label: str | None = None) -> None:
    """Refuses a budget below the cheapest architecture.

    Args:
        price: of the space.
        metric: what is limited.
        upper: the limit.
        label: what the user calls the metric; its name by default.

    Raises:
        UserError: no architecture keeps the budget (or none was found to, where a proof is out of reach).
    """
    least = cheapest(price, metric)
    refuse_below(Least(least.value, "exact" if least.exact else "found"), label or metric, upper)


def refuse_below(least: Least, label: str, upper: float) -> None:
    """Refuses a budget below the least cost: `check_budget`."""
    if least.value > upper:
        said = {
            "exact": f"the cheapest architecture costs {least.value:,} {label}",
            "found": f"the cheapest architecture found costs {least.value:,} {label}",
            "bound": f"no architecture costs less than {least.value:,}",
        }[least.known]
        raise UserError(f"budget {label}={upper:g} is impossible: {said}; raise the budget")


def _is_small(space: Any) -> bool:
    try:
        return size(space, MOST_ENTRIES) <= MOST_ENTRIES
    except UserError:  # a rule over too many architectures to count
        return False


def _best(price: Prices, metric: Metric, sign: int, archs: Iterable[Arch], exact: bool) -> Extreme:
    arch = min(archs, key=lambda candidate: sign * price.value(candidate, metric))
    return Extreme(arch, price.value(arch, metric), exact)


def _complete(price: Prices) -> bool:
    """Fills every entry of every table, those of tables that appear on the way included; False if they are too many."""
    sizes = {path: len(decision) for path, decision in price.decisions.items()}
    done: set[tuple[str, ...]] = set()
    left = MOST_ENTRIES
    while todo := [paths for paths in price.tables if paths not in done]:
        for paths in todo:
            for wanted in islice(assignments(paths, sizes, price.conditions), left + 1):
                left -= 1
                if left < 0:
                    return False
                if tuple(wanted[path] for path in paths) not in price.tables[paths]:
                    arch = with_options(price.space, wanted)
                    if arch is None:
                        return False
                    price.price(arch)
            done.add(paths)
    return True


def _eliminated(price: Prices, metric: Metric, sign: int) -> Arch | None:
    weights = price.weights(metric)
    domains = {
        path: [*range(len(decision))] + ([] if price.conditions[path] is None else [ABSENT])
        for path, decision in price.decisions.items()
    }
    factors: list[Factor] = [
        (paths, {key: sign * sum(map(mul, weights, entry)) for key, entry in table.items()})
        for paths, table in price.tables.items()
    ]
    factors += [_living(path, condition, domains) for path, condition in price.conditions.items() if condition is not None]
    choices: list[tuple[str, tuple[str, ...], dict[tuple[int, ...], int]]] = []
    left = set(domains)
    while left:
        scopes = {path: sorted({p for scope, _ in factors if path in scope for p in scope if p != path}) for path in left}
        path = min(sorted(left), key=lambda p: prod(len(domains[q]) for q in scopes[p]))
        scope = tuple(scopes[path])
        if prod(len(domains[q]) for q in scope) * len(domains[path]) > WIDEST:
            return None
        mine = [factor for factor in factors if path in factor[0]]
        best, taken = _without(path, scope, mine, domains)
        factors = [factor for factor in factors if path not in factor[0]] + [(scope, best)]
        choices.append((path, scope, taken))
        left.remove(path)
    settled: dict[str, int] = {}
    for path, scope, taken in reversed(choices):
        settled[path] = taken[tuple(settled[p] for p in scope)]
    return with_options(price.space, settled)


def _without(
    path: str, scope: tuple[str, ...], factors: list[Factor], domains: Mapping[str, list[int]]
) -> tuple[dict[tuple[int, ...], float], dict[tuple[int, ...], int]]:
    """The best of `factors` over the options of `path`, for every way to settle `scope`, and the option that gives it."""
    best: dict[tuple[int, ...], float] = {}
    taken: dict[tuple[int, ...], int] = {}
    for key in product(*(domains[p] for p in scope)):
        here = dict(zip(scope, key, strict=True))
        costs = {
            option: sum(table.get(tuple({**here, path: option}[p] for p in paths), inf) for paths, table in factors)
            for option in domains[path]
        }
        taken[key] = min(costs, key=costs.__getitem__)
        best[key] = costs[taken[key]]
    return best, taken


def _living(path: str, condition: Condition, domains: Mapping[str, list[int]]) -> Factor:
    parent, options = condition
    agree = product(domains[parent], domains[path])
    return (parent, path), {(above, own): 0.0 for above, own in agree if (above in options) == (own != ABSENT)}
