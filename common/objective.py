"""What is better: objectives with directions, hard constraints, dominance, fronts, hypervolume, rank correlation.

Points are arrays of shape (n, m): n candidates, m objectives, in the objectives' own units and directions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from common.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

LATENCY = "latency"
"""Name of the cost: milliseconds of a pass, by a latency table."""
UNITS = {"macs": "MACs", "ops": "OPs", LATENCY: "ms"}
"""Units of costs, for people."""
Direction = Literal["max", "min"]
Number = float | int


@dataclass(frozen=True, slots=True)
class Objective:
    """A metric and the direction in which it is better.

    Attributes:
        name: Key of the metric in a trial's scores or cost.
        direction: `max` or `min`.
        unit: For people only, e.g. `ms`.
    """

    name: str
    direction: Direction = "max"
    unit: str = ""

    def __post_init__(self) -> None:
        if self.direction not in ("max", "min"):
            raise UserError(f"objective {self.name!r}: direction {self.direction!r} is unknown: use 'max' or 'min'")

    def better(self, a: Number, b: Number) -> bool:
        """Whether `a` is strictly better than `b`.

        >>> Objective("ms", "min").better(1.0, 2.0)
        True
        """
        return self.loss(a) < self.loss(b)

    def loss(self, value: Number) -> Number:
        """`value` turned so that smaller is better.

        Raises:
            UserError: The value is not a number.
        """
        if value != value:
            raise UserError(f"objective {self.name!r} is nan: scores must be numbers; mark the trial as failed instead")
        return -value if self.direction == "max" else value


@dataclass(frozen=True, slots=True)
class Constraint:
    """A hard bound on one metric, both ends inclusive.

    Attributes:
        metric: Key of the metric.
        upper: Largest allowed value, None for no limit.
        lower: Smallest allowed value, None for no limit.
    """

    metric: str
    upper: Number | None = None
    lower: Number | None = None

    def __post_init__(self) -> None:
        if self.upper is None and self.lower is None:
            raise UserError(f"constraint on {self.metric!r} bounds nothing: give upper or lower")
        if self.upper is not None and self.lower is not None and self.lower > self.upper:
            raise UserError(f"constraint {self}: the lower bound is above the upper one: swap them")

    def __str__(self) -> str:
        low = "" if self.lower is None else f"{_spelled(self.lower)} <= "
        high = "" if self.upper is None else f" <= {_spelled(self.upper)}"
        return f"{low}{self.metric}{high}"

    def holds(self, values: Mapping[str, Number]) -> bool:
        """Whether `values` keep the bound.

        Raises:
            UserError: The metric is missing or not a number.
        """
        if self.metric not in values:
            raise UserError(f"constraint {self}: no metric {self.metric!r}; there are: {', '.join(sorted(values))}")
        value = values[self.metric]
        if value != value:
            raise UserError(f"constraint {self}: {self.metric!r} is nan: it must be a number")
        return (self.upper is None or value <= self.upper) and (self.lower is None or value >= self.lower)

    def excess(self, values: Mapping[str, Number]) -> float:
        """By how much `values` break the bound, as a share of it; 0 or less where they keep it.

        >>> Constraint("macs", upper=100).excess({"macs": 150})
        0.5
        """
        value = values[self.metric]
        sides = [] if self.upper is None else [(value - self.upper) / (abs(self.upper) or 1)]
        sides += [] if self.lower is None else [(self.lower - value) / (abs(self.lower) or 1)]
        return max(sides)


def _spelled(value: Number) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,}"  # a limit typed as 300e6 reads 300,000,000


def losses(points: ArrayLike, objectives: Sequence[Objective]) -> NDArray[np.float64]:
    """Points of shape (n, m) turned so that smaller is better everywhere.

    Raises:
        UserError: The number of columns is not the number of objectives, or a value is not a number.
    """
    array = np.asarray(points, dtype=np.float64)
    if array.size == 0:
        return np.zeros((0, len(objectives)))
    if array.ndim != 2 or array.shape[1] != len(objectives):
        raise UserError(f"points of shape {array.shape} do not fit {len(objectives)} objectives: give (n, objectives)")
    rows, columns = np.nonzero(np.isnan(array))
    if rows.size:
        name = objectives[columns[0]].name
        raise UserError(f"point {rows[0]}: objective {name!r} is nan: scores must be numbers; leave failed trials out")
    signs = np.array([-1.0 if o.direction == "max" else 1.0 for o in objectives])
    return array * signs + 0.0  # + 0.0 turns -0.0 into 0.0, so that equal values are equal bytes


def dominates(a: Sequence[Number], b: Sequence[Number], objectives: Sequence[Objective]) -> bool:
    """Whether point `a` is nowhere worse than `b` and somewhere better (Pareto dominance).

    >>> dominates((80.0, 3.0), (80.0, 4.0), [Objective("top1"), Objective("ms", "min")])
    True
    """
    left, right = losses([a, b], objectives)
    return bool((left <= right).all() and (left < right).any())


def fronts(points: ArrayLike, objectives: Sequence[Objective]) -> list[list[int]]:
    """Indices of the points, sorted into non-dominated fronts, the best first; equal points share a front.

    Non-dominated sorting by binary search over the fronts (Zhang et al. 2015, https://doi.org/10.1109/TEVC.2014.2308305).

    Raises:
        UserError: See `losses`.
    """
    array = losses(points, objectives)
    if not len(array):
        return []
    rows, inverse = np.unique(array, axis=0, return_inverse=True)  # sorted: a later row never dominates an earlier one
    found: list[list[int]] = []
    rank = np.zeros(len(rows), dtype=np.int64)
    for i, row in enumerate(rows):
        low, high = 0, len(found)
        while low < high:  # whoever is dominated in front k is dominated in every front before it
            middle = (low + high) // 2
            if (rows[found[middle]] <= row).all(axis=1).any():
                low = middle + 1
            else:
                high = middle
        if low == len(found):
            found.append([])
        found[low].append(i)
        rank[i] = low
    ranks = rank[inverse.reshape(-1)]
    return [np.nonzero(ranks == k)[0].tolist() for k in range(len(found))]


def crowding(points: ArrayLike) -> NDArray[np.float64]:
    """Crowding distance of each point of one front (Deb et al. 2002), infinite at the ends; directions do not matter.

    Of equal points one keeps the distance and the others get 0, so that copies are the first to go.
    """
    array = np.asarray(points, dtype=np.float64)
    distance = np.zeros(len(array))
    if not len(array):
        return distance
    rows, first = np.unique(array, axis=0, return_index=True)
    if len(rows) <= 2:
        distance[first] = np.inf
        return distance
    total = np.zeros(len(rows))
    for column in rows.T:
        span = column.max() - column.min()
        if span > 0:
            order = np.argsort(column, kind="stable")
            total[order[[0, -1]]] = np.inf
            total[order[1:-1]] += (column[order[2:]] - column[order[:-2]]) / span
    distance[first] = total
    return distance


def hypervolume(points: ArrayLike, reference: Sequence[Number], objectives: Sequence[Objective]) -> float:
    """Exact volume dominated by the points and bounded by `reference`; points not better than it add nothing.

    A sweep for two objectives, slices along the last one for more: fit for a few hundred points in three or four.

    Raises:
        UserError: See `losses`; a value or the reference is infinite.
    """
    corner = losses([reference], objectives)[0]
    array = losses(points, objectives)
    if not (np.isfinite(array).all() and np.isfinite(corner).all()):
        raise UserError("hypervolume: a point or the reference is infinite: give finite values")
    return _volume(array[(array < corner).all(axis=1)], corner)


def _volume(array: NDArray[np.float64], corner: NDArray[np.float64]) -> float:
    if not len(array):
        return 0.0
    if array.shape[1] == 1:
        return float(corner[0] - array.min())
    if array.shape[1] == 2:
        ordered = array[np.lexsort((array[:, 1], array[:, 0]))]
        heights = np.minimum.accumulate(ordered[:, 1])
        widths = np.diff(ordered[:, 0], append=corner[0])
        return float((widths * (corner[1] - heights)).sum())
    ordered = array[np.argsort(array[:, -1], kind="stable")]
    depths = np.diff(ordered[:, -1], append=corner[-1])
    return sum(float(depth) * _volume(ordered[: i + 1, :-1], corner[:-1]) for i, depth in enumerate(depths) if depth > 0)


def kendall_tau(a: Sequence[Number], b: Sequence[Number]) -> float:
    """Kendall's tau-b of two score lists, in [-1, 1]; nan where one of them is constant.

    (C - D) / sqrt(A B): of all pairs, C are ordered alike and D oppositely, A have different values in `a`, B in `b` (Kendall
    1945, Biometrika 33; `scipy.stats.kendalltau`).

    Raises:
        UserError: The lists differ in length, hold fewer than two values, or a value is not a number.

    >>> round(kendall_tau([1, 2, 3, 4], [1, 2, 2, 0]), 3)  # C = 2, D = 3; one of six pairs is tied in b
    -0.183
    """
    if len(a) != len(b) or len(a) < 2:
        raise UserError(f"kendall_tau of {len(a)} and {len(b)} values: give two lists of equal length, at least 2")
    if np.isnan(np.asarray([a, b], dtype=np.float64)).any():
        raise UserError("kendall_tau: a score is nan: leave failed trials out")
    if len(set(a)) == 1 or len(set(b)) == 1:
        return float("nan")
    from scipy.stats import kendalltau

    return float(kendalltau(a, b).statistic)  # pyright: ignore[reportAttributeAccessIssue]
