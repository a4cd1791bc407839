"""What a cost must be for a search to be steered by it: a sum of table entries, each over a few decisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from common.cost.conditions import ABSENT, Condition, conditions_of
from common.cost.table import LatencyTable
from common.objective import LATENCY
from common.space import Decision, decisions

Metric = str
"""The name of a cost: `params`, `macs`, or another one."""
Key = tuple[int, ...]


class Prices(Protocol):
    """Costs that are sums of table entries: `common.cost.price.Price`, which traces them, and `TimedPrices`, which are measured.

    Attributes:
        space: the open description.
        decisions: its decisions by path.
        conditions: under which each of them is live.
        tables: decisions -> for their options, in the same order, the entry: an amount of each kind.
        costs: names of the costs.
    """

    @property
    def space(self) -> Any: ...
    @property
    def decisions(self) -> Mapping[str, Decision]: ...
    @property
    def conditions(self) -> Mapping[str, Condition | None]: ...
    @property
    def tables(self) -> Mapping[tuple[str, ...], Mapping[Key, Sequence[float]]]: ...
    @property
    def costs(self) -> Sequence[str]: ...

    def price(self, arch: Mapping[str, int]) -> Mapping[str, float]:
        """Costs by name; fills the entries that are missing."""
        ...

    def value(self, arch: Mapping[str, int], metric: Metric) -> float:
        """One cost."""
        ...

    def weights(self, metric: Metric) -> Sequence[float]:
        """The weight of each amount of an entry in a cost."""
        ...


class TimedPrices:
    """The latency of a table as a sum of entries: a time for every option and every pair; see `Prices`.

    Example: of `base_ms` 5, a row (0, 2) of decision `a` and none else, `tables` are `{(): {(): (5,)}, ("a",): {(0,): (0,), (1,):
    (2,)}}`.

    Args:
        table: measured.
        space: its open description.
    """

    costs = (LATENCY,)

    def __init__(self, table: LatencyTable, space: Any) -> None:
        self.space = space
        self.decisions = decisions(space)
        self.conditions = conditions_of(space)
        self._table = table
        self.tables: dict[tuple[str, ...], dict[Key, tuple[float, ...]]] = {(): {(): (table.base_ms,)}}
        for path, row in table.rows.items():
            self.tables[path,] = {(ABSENT,): (0.0,), **{(i,): (ms,) for i, ms in enumerate(row)}}
        for first, second, times in table.joint():
            self.tables[first, second] = {(i, j): (ms,) for i, row in enumerate(times) for j, ms in enumerate(row)}

    def price(self, arch: Mapping[str, int]) -> dict[str, float]:
        """See `Prices`."""
        return {LATENCY: self._table.predict(arch)}

    def value(self, arch: Mapping[str, int], metric: Metric) -> float:
        """See `Prices`."""
        return self._table.predict(arch)

    def weights(self, metric: Metric) -> tuple[float, ...]:
        """See `Prices`."""
        return (1.0,)
