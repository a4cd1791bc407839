"""For each parameter, the decisions that determine whether the extracted network contains it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from torch import nn

from common.cost.conditions import Condition
from common.trace import active_children, is_elastic, readings

Paths = frozenset[str]
NONE: Paths = frozenset()

Chain = tuple[tuple[nn.Module, nn.Module], ...]
"""The modules around a module that read decisions, outermost first, each with its child on the way to the module."""


class Membership(NamedTuple):
    """One member of a `ManyOf`, and the decisions that say whether an architecture takes the member.

    Attributes:
        path: the `ManyOf` decision.
        always: whether every subset contains the member.
        implied: decisions that an architecture has if, and only if, its subset contains the member. A cost that depends on one
            of these decisions need not depend on `path` as well. Hence a cost table has one entry for each operation of an edge,
            not one for each operation under each subset of edges.
    """

    path: str
    always: bool
    implied: Paths


def memberships(module: nn.Module, conditions: Mapping[str, Condition | None]) -> list[Membership]:
    """Returns the membership of each member of `module`, in the order of the members.

    Args:
        module: a module that sums the members of a subset. Its active subset is the same afterwards as before.
        conditions: see `common.cost.conditions`.
    """
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
    """Returns `depends` plus the `ManyOf` decision of each membership in `within`.

    The decision of a membership is left out where every subset contains the member, or where `depends` has a decision that
    implies the member.
    """
    missing = [member.path for member in within if not member.always and not depends & member.implied]
    return depends.union(missing)


class Living(dict[nn.Module, frozenset[int]]):
    """Module -> ids of the children that its decisions leave active; each module is looked up once."""

    def __missing__(self, module: nn.Module) -> frozenset[int]:
        self[module] = frozenset(id(part) for part, active in active_children(module) if active)
        return self[module]


class ParameterGroup:
    """Parameters that the extracted network contains under the same decisions.

    Plain parameters with equal chains form one group. The parameter of an elastic layer is a group of its own, for its size
    depends on decisions too.

    Attributes:
        chains: the chains to the parameters; a module that several parents share has several.
        amounts: number of parameters, and what else they count (`Convention.held`).
        each: the same of one number of an elastic layer's parameter; of as many as its widest layer has, `amounts`.
        elastic: the elastic layer and the id of its parameter; None for plain parameters.
        paths: the decisions that determine whether the network contains the parameters.
    """

    def __init__(
        self,
        chains: list[Chain],
        numel: int,
        each: tuple[int, ...],
        elastic: tuple[nn.Module, int] | None,
        members: Mapping[int, Sequence[Membership]],
    ) -> None:
        self.chains = chains
        self.each = each
        self.amounts = [0] * len(each)
        self.elastic = elastic
        self.include(numel, each)
        outer = {id(module): (module, child) for chain in chains for module, child in chain}
        if len(chains) > 1:
            members = {}  # one chain of several is enough: every decision on all of them matters
        plain = [module for key, (module, _) in outer.items() if key not in members]
        within = [members[key][_place(module, child)] for key, (module, child) in outer.items() if key in members]
        self.paths = conditioned(frozenset(slot.path for module in plain for r in readings(module) for slot in r.slots), within)

    def include(self, numel: int, each: tuple[int, ...]) -> None:
        """One more parameter: how many numbers it has, and what each of them counts."""
        self.amounts = [total + numel * one for total, one in zip(self.amounts, each, strict=True)]

    def present(self, living: Living) -> bool:
        """Whether the active options leave the parameters in the network."""
        return any(all(id(child) in living[module] for module, child in chain) for chain in self.chains)


def _place(module: nn.Module, child: nn.Module) -> int:
    return next(i for i, (part, _) in enumerate(active_children(module)) if part is child)


def parameter_groups(
    root: nn.Module, members: Mapping[int, Sequence[Membership]], each_of: Callable[[nn.Module, str], tuple[int, ...]]
) -> list[ParameterGroup]:
    """Groups all parameters of `root`.

    Args:
        root: the supernet's module. A parameter that modules share is in one group, once.
        members: id of a module that sums a subset -> the memberships of its members.
        each_of: (module, name of its parameter) -> what one number of the parameter counts.
    """
    chains: dict[int, list[Chain]] = {}
    owners: dict[int, tuple[nn.Module, str, nn.Parameter]] = {}

    def walk(module: nn.Module, chain: Chain) -> None:
        for name, parameter in module._parameters.items():
            if parameter is not None:
                chains.setdefault(id(parameter), []).append(chain)
                if id(parameter) not in owners or is_elastic(module):
                    owners[id(parameter)] = module, name, parameter
        for child, _ in active_children(module):
            walk(child, (*chain, (module, child)) if readings(module) else chain)

    walk(root, ())
    together: dict[tuple[tuple[int, ...], ...], ParameterGroup] = {}
    alone: list[ParameterGroup] = []
    for key, (module, name, parameter) in owners.items():
        each = each_of(module, name)
        if is_elastic(module):
            alone.append(ParameterGroup(chains[key], parameter.numel(), each, (module, key), members))
            continue
        names = tuple(tuple(id(part) for pair in chain for part in pair) for chain in chains[key])
        if names in together:
            together[names].include(parameter.numel(), each)
        else:
            together[names] = ParameterGroup(chains[key], parameter.numel(), each, None, members)
    return [*alone, *together.values()]
