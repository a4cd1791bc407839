"""A latency table among the costs of a run: a budget, a reward or a report can then name `latency`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from common.cost.bounds import Least, cheapest
from common.cost.prices import TimedPrices
from common.cost.table import LatencyTable
from common.errors import UserError
from common.objective import LATENCY
from common.space import Arch


class Untimed(Protocol):
    """Costs without latency; see `common.task.Costs`."""

    def of(self, arch: Arch) -> Mapping[str, float]:
        """Costs by name."""
        ...

    def least(self, metric: str) -> Least:
        """What the cheapest architecture costs."""
        ...


class Timed:
    """Costs with the latency that a table predicts beside them; see `common.task.Costs`.

    Args:
        costs: the others.
        file: a latency table, written by the command `latency-table`; read when it is first needed.
        space: open description that the table must be of.
    """

    def __init__(self, costs: Untimed, file: Path, space: Any) -> None:
        self._costs = costs
        self._file = file
        self._space = space

    @cached_property
    def table(self) -> LatencyTable:
        """The table.

        Raises:
            UserError: the file cannot be read, is of another space, or has failed its own check.
        """
        table = LatencyTable.load(self._file, self._space)
        if faults := table.faults():
            raise UserError(
                f"{self._file}: the table has failed its check, with {' and '.join(faults)}; measure it again on an idle "
                "machine, with more --repeats and --archs"
            )
        return table

    @cached_property
    def prices(self) -> TimedPrices:
        """The times as a sum of entries."""
        return TimedPrices(self.table, self._space)

    def of(self, arch: Arch) -> Mapping[str, float]:
        """See `common.task.Costs.of`."""
        return {**self._costs.of(arch), LATENCY: self.table.predict(arch)}

    def least(self, metric: str) -> Least:
        """See `common.task.Costs.least`."""
        if metric != LATENCY:
            return self._costs.least(metric)
        found = cheapest(self.prices, LATENCY)
        return Least(found.value, "exact" if found.exact else "found")
