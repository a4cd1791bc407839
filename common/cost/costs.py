"""What the architectures of a run cost: read from tables of prices, or counted on networks built on the meta device."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from common.cost.bounds import Least, cheapest
from common.cost.conventions import Convention, contractions
from common.cost.count import count
from common.cost.price import Price
from common.cost.prices import Metric
from common.space import Arch


class Entry(NamedTuple):
    """Where a cost is read from.

    Attributes:
        price: table of prices.
        metric: the entry of the table.
        read: architecture of the run -> that of the table's space.
    """

    price: Price
    metric: Metric
    read: Callable[[Arch], Arch] = Arch


class Tabulated:
    """Costs from tables of prices, which are made when they are first needed; see `common.task.Costs`.

    Args:
        make: gives the tables, cost name -> entry.
    """

    def __init__(self, make: Callable[[], Mapping[str, Entry]]) -> None:
        self._make = make

    @cached_property
    def entries(self) -> Mapping[str, Entry]:
        """Cost name -> table and entry."""
        return self._make()

    def of(self, arch: Arch) -> dict[str, int]:
        """See `common.task.Costs.of`."""
        return {name: entry.price.value(entry.read(arch), entry.metric) for name, entry in self.entries.items()}

    def least(self, metric: str) -> Least:
        """See `common.task.Costs.least`."""
        price, name = self.price(metric)
        found = cheapest(price, name)
        return Least(found.value, "exact" if found.exact else "found")

    def price(self, metric: str) -> tuple[Price, Metric]:
        """See `common.task.Networks.price`."""
        entry = self.entries[metric]
        return entry.price, entry.metric


def tabulated(
    supernet: Callable[[], nn.Module], space: Any, inputs: Sequence[Tensor], convention: Convention = contractions
) -> Tabulated:
    """What a convention counts of the networks of a space, from the table of prices of its supernet.

    Args:
        supernet: gives the supernet; called with the meta device as default.
        space: open description.
        inputs: inputs of a network; only their shapes and types matter.
        convention: what counts as a multiply-add.
    """

    def make() -> dict[str, Entry]:
        with torch.device("meta"):
            module = supernet()
        price = Price(module, inputs, space, convention=convention)
        return {name: Entry(price, name) for name in convention.costs}

    return Tabulated(make)


class Counted:
    """Costs of networks that are built on the meta device, each once; see `common.task.Costs`.

    For spaces whose every cost depends on most decisions, so that tables of prices would have an entry for each network.

    Args:
        build: architecture -> network, called with the meta device as default.
        inputs: gives the inputs that are counted on.
        cheapest: gives the cheapest architecture of the space.
        convention: what counts as a multiply-add.
    """

    def __init__(
        self,
        build: Callable[[Arch], nn.Module],
        inputs: Callable[[], Sequence[Tensor]],
        cheapest: Callable[[], Arch],
        convention: Convention = contractions,
    ) -> None:
        self._build = build
        self._inputs = inputs
        self._cheapest = cheapest
        self._convention = convention
        self._known: dict[Arch, dict[str, int]] = {}

    def of(self, arch: Arch) -> dict[str, int]:
        """See `common.task.Costs.of`."""
        if arch not in self._known:
            with torch.device("meta"):
                cost = count(self._build(arch), tuple(self._inputs()), convention=self._convention)
            self._known[arch] = dict(cost.costs)
        return self._known[arch]

    def least(self, metric: str) -> Least:
        """See `common.task.Costs.least`."""
        return Least(self.of(self._cheapest())[metric])
