"""The price of an architecture without building it: exact costs of all kinds, from tables filled by tracing.

A trace of the supernet (`common.cost.dependencies`) splits the cost into terms, each with the decisions it depends on. A price is
a sum of one entry per set of decisions; an architecture with a combination not met before is traced, and its terms join the
tables. Nothing is estimated.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from math import prod
from operator import itemgetter, lshift
from random import Random
from struct import Struct
from typing import Any

from torch import Tensor, nn

from common.cost.conditions import ABSENT, Condition, conditions_of, with_options
from common.cost.conventions import Convention, contractions
from common.cost.count import Forward, on_meta, uncounted_warning
from common.cost.dependencies import Dependencies
from common.cost.presence import Paths
from common.cost.prices import Key, Metric
from common.errors import UserError
from common.layers import EmptySum
from common.space import Arch, decisions, decode, sample
from common.trace import slots_of

Table = dict[Key, tuple[int, ...]]
_BITS = 64
_MOST = (1 << _BITS) - 1
_JOINED = 4096
"""Entries that a table may have which stands for several ones: four decisions of eight options."""


class Price:
    """Prices architectures of a supernet; equal to counting the extracted network, layer for layer.

    Operations with weights or contractions that the convention does not count are named in a warning, once each.

    Args:
        module: the supernet's module. It is copied to the meta device and never run or changed.
        inputs: example inputs; only their shapes and types matter. Multiply-adds are for the whole batch: give one image.
        space: the description with open decisions that `module` is built from.
        forward: how to run it, where that is not `module(*inputs)`.
        convention: what counts as a multiply-add: every contraction by default.

    Attributes:
        uncounted: names of the operations, in what was traced so far, that have weights or contractions which the convention
            does not count.
    """

    def __init__(
        self,
        module: nn.Module,
        inputs: Sequence[Tensor],
        space: Any,
        *,
        forward: Forward | None = None,
        convention: Convention = contractions,
    ) -> None:
        self.space = space
        self.decisions = decisions(space)
        self.conditions: dict[str, Condition | None] = conditions_of(space)
        self.tables: dict[tuple[str, ...], Table] = {}
        self.traces = 0
        self.convention = convention
        self._shifts = {name: _BITS * place for place, name in enumerate(convention.amounts)}
        self._amounts = Struct(f"<{len(self._shifts)}Q")
        self._sums = [(name, *_terms(*convention.shares(name))) for name in convention.sums]
        self.uncounted: tuple[str, ...] = ()
        self._inputs = [x.to("meta") for x in inputs]
        self._forward = forward
        self._dependencies = Dependencies(on_meta(module), convention, self.conditions)
        self._slots = slots_of(self._dependencies.module)
        self._traced: list[Mapping[str, int]] = []
        self._always = [path for path, condition in self.conditions.items() if condition is None]
        self._compile()
        self.fill()

    @property
    def costs(self) -> tuple[str, ...]:
        """The names of all costs."""
        return self.convention.costs

    def fill(self, random: int = 16) -> None:
        """Traces a few architectures, so that most entries are there before the first question.

        Architectures that sum nothing (an empty subset of members) cannot be traced and are passed over.

        Args:
            random: give up after this many random architectures; what is missing is traced when it is asked for.
        """
        options = max((len(d) for d in self.decisions.values()), default=1)
        for i in range(min(options, 64)):
            if (arch := with_options(self.space, {path: i % len(d) for path, d in self.decisions.items()})) is not None:
                with suppress(EmptySum):
                    self.price(arch)
        rng = Random(0)
        for _ in range(random):
            with suppress(EmptySum):
                self.price(sample(self.space, rng))

    def price(self, arch: Mapping[str, int]) -> dict[str, int]:
        """The costs of the network that `arch` stands for, by name: `params`, `macs` and what else the convention counts.

        Raises:
            UserError: `arch` is not one of the space, or sums nothing (`EmptySum`).
        """
        total = self._packed(arch)
        amounts = self._amounts.unpack(total.to_bytes(self._amounts.size, "little"))
        found = dict(zip(self._shifts, amounts))
        for name, terms, below in self._sums:  # `rounded`, without amounts that count nothing
            found[name] = (sum([share * amounts[at] for at, share in terms]) + below) // (2 * below)
        return found

    def price_many(self, archs: Iterable[Mapping[str, int]]) -> list[dict[str, int]]:
        """The price of each."""
        return [self.price(arch) for arch in archs]

    def value(self, arch: Mapping[str, int], metric: Metric) -> int:
        """One metric of the network that `arch` stands for."""
        if (shift := self._shifts.get(metric)) is not None:
            return self._packed(arch) >> shift & _MOST
        return self.price(arch)[metric]

    def weights(self, metric: Metric) -> tuple[float, ...]:
        """The weight of each entry of a row of `tables` in a metric."""
        return tuple(map(float, self.convention.weights(metric)))

    def _packed(self, arch: Mapping[str, int]) -> int:
        """All amounts in one number, so that the tables are gone through once."""
        # Mapping's own items() goes through Python for every decision; the plain dict inside is several times faster.
        choices: Mapping[str, int] = arch._choices if type(arch) is Arch else arch
        try:
            total = sum(map(self._single.__getitem__, choices.items()))
            for read, table in self._joint:
                total += table[read(choices)]
        except KeyError:
            self._trace(choices)
            return self._packed(arch)
        if len(choices) < len(self._always):
            decode(self.space, choices)  # says which decision is missing
        return total

    def _trace(self, choices: Mapping[str, int]) -> None:
        decode(self.space, choices)
        for path, slot in self._slots.items():
            slot.active, slot.mixed = choices.get(path, 0), None
        self._dependencies.trace(self._inputs, self._forward)
        self.traces += 1
        if new := [name for name in self._dependencies.uncounted if name not in self.uncounted]:
            self.uncounted += tuple(new)
            warnings.warn(uncounted_warning(new, self.convention), stacklevel=2)
        terms = {self._ordered(paths): tuple(term) for paths, term in self._dependencies.terms.items()}
        none = (0,) * len(self._shifts)
        for paths in terms.keys() - self.tables.keys():  # whatever was traced before had no such term
            self.tables[paths] = {_key(before, paths): none for before in self._traced}
        for paths, table in self.tables.items():
            entry, key = terms.get(paths, none), _key(choices, paths)
            assert table.setdefault(key, entry) == entry, f"cost under {dict(zip(paths, key, strict=True))} depends on more"
        self._traced.append(dict(choices))
        self._compile()

    def _ordered(self, paths: Paths) -> tuple[str, ...]:
        if foreign := sorted(path for path in paths if path not in self.decisions):
            raise UserError(
                f"the module reads decision {foreign[0]!r}, which the space does not have; give the space it is built from"
            )
        return tuple(path for path in self.decisions if path in paths)

    def _compile(self) -> None:
        """Entries of one decision that is always there are summed in one go; the rest is looked up table by table."""
        single: dict[tuple[str, int], int] = {}
        self._joint: list[tuple[Callable[[Mapping[str, int]], Key], dict[Key, int]]] = []
        always: dict[tuple[str, ...], dict[Key, int]] = {}
        for paths, table in self.tables.items():
            packed = {key: sum(map(lshift, entry, self._shifts.values())) for key, entry in table.items()}
            if len(paths) == 1 and self.conditions[paths[0]] is None:
                single.update({(paths[0], key[0]): entry for key, entry in packed.items()})
            elif len(paths) > 1 and all(self.conditions[path] is None for path in paths):
                always[paths] = packed
            else:
                self._joint.append((partial(_key, paths=paths), packed))
        # of several decisions that are always there itemgetter gives the key in half the time
        options = {path: len(decision) for path, decision in self.decisions.items()}
        self._joint += [(itemgetter(*joined.paths), joined) for joined in _joined(always, options)]
        for path, decision in self.decisions.items():
            if (path,) not in self.tables or self.conditions[path] is not None:
                single.update({(path, option): 0 for option in range(len(decision))})
        self._single = single
        if not self._traced:
            self._joint.append((lambda choices: (), {}))  # nothing is known yet: the first question is a trace


def _terms(shares: Sequence[int], below: int) -> tuple[list[tuple[int, int]], int]:
    """Places of the amounts that count in a sum and twice their shares; and `below`."""
    return [(at, 2 * share) for at, share in enumerate(shares) if share], below


def _key(choices: Mapping[str, int], paths: tuple[str, ...]) -> Key:
    return tuple([choices.get(path, ABSENT) for path in paths])


class _Joined(dict[Key, int]):
    """Sums of one entry of each of several tables, by the options of all their decisions; made when first asked for."""

    def __init__(self, tables: Mapping[tuple[str, ...], Mapping[Key, int]]) -> None:
        super().__init__()
        self.paths = tuple(dict.fromkeys(path for paths in tables for path in paths))
        self._parts = [(itemgetter(*map(self.paths.index, paths)), table) for paths, table in tables.items()]

    def __missing__(self, key: Key) -> int:
        found = self[key] = sum(table[read(key)] for read, table in self._parts)
        return found


def _joined(tables: Mapping[tuple[str, ...], Mapping[Key, int]], options: Mapping[str, int]) -> list[_Joined]:
    """Few tables for many, each for as many as `_JOINED` allows.

    Args:
        tables: of two and more decisions.
        options: of each decision.
    """

    def size(group: Iterable[tuple[str, ...]]) -> int:
        return prod(options[path] for path in {path for paths in group for path in paths})

    groups: list[list[tuple[str, ...]]] = []
    for paths in tables:
        best = min(groups, key=lambda group: size([*group, paths]), default=[])
        if best and size([*best, paths]) <= _JOINED:
            best.append(paths)
        else:
            groups.append([paths])
    return [_Joined({paths: tables[paths] for paths in group}) for group in groups]
