"""A hard limit on what an architecture costs, and lower bounds of the cost that a ranking of architectures can use."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import mul

from common.cost.conditions import Condition, assignments
from common.cost.expected import complete
from common.cost.prices import Metric, Prices
from common.errors import UserError
from common.relax.ranked import Bound
from common.space import Arch


@dataclass(frozen=True, slots=True)
class Budget:
    """At most `upper` of a metric.

    Attributes:
        price: of the supernet's space.
        metric: what is limited.
        upper: the limit, in the metric's unit.

    Raises:
        UserError: the limit is negative or no number.
    """

    price: Prices
    metric: Metric
    upper: float

    def __post_init__(self) -> None:
        if not self.upper >= 0:
            raise UserError(f"budget {self.metric}={self.upper:g}: a limit must be a number from 0 on")

    def __call__(self, arch: Mapping[str, int]) -> bool:
        """Whether `arch` keeps it."""
        return self.price.value(arch, self.metric) <= self.upper

    def bounds(self) -> tuple[float, list[Bound]]:
        """A constant and bounds whose sum is never more than the cost, and equal to it where the tables follow the branches.

        A table over decisions of one branch (a node's edges and the operation on one of them) becomes one bound, exactly. One
        over several branches is split: of what is left of it, each branch in turn takes the minimum over the others.

        Raises:
            UserError: too many table entries.
        """
        complete(self.price)
        conditions, sizes = self.price.conditions, {path: len(decision) for path, decision in self.price.decisions.items()}
        weights = self.price.weights(self.metric)
        constant, found = 0.0, []
        for paths, table in list(self.price.tables.items()):
            left = {
                key: sum(map(mul, weights, table[key])) if key in table else 0.0  # not there: a rule forbids it
                for key in (tuple(taken[p] for p in paths) for taken in assignments(paths, sizes, conditions))
            }
            if not any(left.values()):
                continue
            if not paths:
                constant += left[()]
            for path in reversed(paths):
                chain = _chain(path, conditions)
                kept = tuple(p for p in paths if p in chain)
                where = [paths.index(p) for p in kept]
                least: dict[tuple[int, ...], float] = {}
                for key, value in left.items():
                    short = tuple(key[i] for i in where)
                    least[short] = min(value, least.get(short, value))
                left = {key: value - least[tuple(key[i] for i in where)] for key, value in left.items()}
                if any(least.values()):
                    found.append(Bound(chain, kept, least))
        return constant, found


@dataclass(frozen=True, slots=True)
class Guided:
    """A hard constraint that no table prices, and a sum over decisions that says roughly where the cost lies.

    Our own: for networks whose parts matter or not by what other decisions say (cells that nothing reads any more).

    Attributes:
        feasible: Whether an architecture keeps the constraint; its word is final.
        guide: Costs of options, in any unit; they need not bound anything.
    """

    feasible: Callable[[Arch], bool]
    guide: Sequence[Bound]

    def __call__(self, arch: Arch) -> bool:
        """Whether `arch` keeps it."""
        return self.feasible(arch)


def _chain(path: str, conditions: Mapping[str, Condition | None]) -> tuple[str, ...]:
    above = conditions[path]
    return (path,) if above is None else (*_chain(above[0], conditions), path)
