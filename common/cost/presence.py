"""For each parameter, the decisions that determine whether the extracted network contains it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from torch import nn

from common.cost.conditions import Condition
from common.trace import active_children, is_elastic, readings

Paths = frozenset[str]
NONE: Paths = frozenset()

Chain = tuple[tuple[nn.Module, nn.Module], ...]
"""The deciding modules around a module, outermost first, each with the child that leads to it."""


class Membership(NamedTuple):
    """Being one member of a subset.

    Attributes:
        path: the decision that takes the subset.
        always: whether every subset has the member.
        implied: decisions that an architecture has if, and only if, the member is taken: a cost under one of them need not
            depend on the subset as well, so that a table has an entry for each operation of an edge and not for each of them
            under each subset of edges.
    """

    path: str
    always: bool
    implied: Paths


def memberships(module: nn.Module, conditions: Mapping[str, Condition | None]) -> list[Membership]:
    """Of each member of `module`, which sums the members of a subset; `conditions`: see `common.cost.conditions`."""
    (reading,) = readings(module)
    (slot,), (n,) = reading.slots, reading.sizes
    before, flags = slot.active, []
    for slot.active in range(n):
        flags.append([active for _, active in active_children(module)])
    slot.active = before
    found = []
    for taken in zip(*flags, strict=True):
        ranks = frozenset(rank for rank, active in enumerate(taken) if active)
        implied = frozenset(path for path, condition in conditions.items() if condition == (slot.path, ranks))
        found.append(Membership(slot.path, len(ranks) == n, implied))
    return found


def conditioned(depends: Paths, within: Iterable[Membership]) -> Paths:
    """`depends`, and the subsets that the members are taken by, unless that follows."""
    missing = [member.path for member in within if not member.always and not depends & member.implied]
    return depends.union(missing)


class ParameterGroup:
    """Parameters that are part of the network under the same decisions: plain ones together, an elastic one alone."""

    def __init__(
        self, chains: list[Chain], numel: int, elastic: tuple[nn.Module, int] | None, members: Mapping[int, Sequence[Membership]]
    ) -> None:
        self.chains = chains
        self.numel = numel
        self.elastic = elastic  # the layer and the id of the parameter
        outer = {id(module): (module, child) for chain in chains for module, child in chain}
        if len(chains) > 1:
            members = {}  # any of several ways may lead there: every decision on them matters
        plain = [module for key, (module, _) in outer.items() if key not in members]
        within = [members[key][_place(module, child)] for key, (module, child) in outer.items() if key in members]
        self.paths = conditioned(frozenset(slot.path for module in plain for r in readings(module) for slot in r.slots), within)

    def present(self) -> bool:
        """Whether the active options leave the parameters in the network."""
        return any(
            all(any(active for part, active in active_children(module) if part is child) for module, child in chain)
            for chain in self.chains
        )


def _place(module: nn.Module, child: nn.Module) -> int:
    return next(i for i, (part, _) in enumerate(active_children(module)) if part is child)


def parameter_groups(root: nn.Module, members: Mapping[int, Sequence[Membership]]) -> list[ParameterGroup]:
    """All parameters in `root`; `members` has the memberships of each module that sums a subset, by its id."""
    chains: dict[int, list[Chain]] = {}
    owners: dict[int, tuple[nn.Module, nn.Parameter]] = {}

    def walk(module: nn.Module, chain: Chain) -> None:
        for parameter in module._parameters.values():
            if parameter is not None:
                chains.setdefault(id(parameter), []).append(chain)
                if id(parameter) not in owners or is_elastic(module):
                    owners[id(parameter)] = module, parameter
        for child, _ in active_children(module):
            walk(child, (*chain, (module, child)) if readings(module) else chain)

    walk(root, ())
    together: dict[tuple[tuple[int, ...], ...], ParameterGroup] = {}
    alone: list[ParameterGroup] = []
    for key, (module, parameter) in owners.items():
        if is_elastic(module):
            alone.append(ParameterGroup(chains[key], parameter.numel(), (module, key), members))
            continue
        names = tuple(tuple(id(part) for pair in chain for part in pair) for chain in chains[key])
        if names in together:
            together[names].numel += parameter.numel()
        else:
            together[names] = ParameterGroup(chains[key], parameter.numel(), None, members)
    return [*alone, *together.values()]
