"""The modules that read open decisions at run time.

A build function uses `choose`, `fmap`, `repeat` and the layers of `common.supernet` (`linear`, `conv2d`, ...) on the fields of
its description. Fixed fields give plain torch modules, open fields give the parts of a supernet, so the build function never asks
which it has. Nothing else in a network knows about search.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any

from torch import Tensor, nn

from common.errors import UserError
from common.layers import EmptySum, Inputs, Nothing, Sum, added
from common.space.walk import fields_of
from common.supernet.mixing import weighted_sum
from common.supernet.open import Mixed, Open, OpenMany, OpenRepeat


class Deciding(nn.Module):
    """A module that reads `decisions` at run time."""

    decisions: tuple[Open, ...]

    def plain(self) -> nn.Module:
        """Returns the active part as a plain torch module, whose weights are those of this module or slices of them."""
        raise AssertionError("abstract")

    def mixable(self) -> int | None:
        """Returns the number of weights of a relaxation of the module's decision; None if the module cannot be relaxed."""
        return None

    def gates(self) -> tuple[Open, ...]:
        """Returns the decisions whose one active option scales the output by its weight, if the option was sampled."""
        return ()

    def branches(self) -> Iterator[tuple[str, nn.Module, bool]]:
        """Yields (name, module, whether it runs now) for each part that the decisions switch on and off."""
        yield from ((name, child, True) for name, child in self.named_children())


class Choice(Deciding):
    """One of several modules. Options with equal meanings of the same type share one module and its weights."""

    def __init__(self, decision: Open, make: Callable[[Any], nn.Module]) -> None:
        super().__init__()
        distinct: list[Any] = []
        self.table = [_position(distinct, meaning) for meaning in decision.meanings]
        self.decisions = (decision,)
        self.options = nn.ModuleList(make(meaning) for meaning in distinct)

    def forward(self, *inputs: Any) -> Any:
        """Returns the active option's output, or the weighted sum of the live options' outputs if the decision is relaxed.

        Live options that share a module are computed once, with the sum of their weights.
        """
        slot = self.decisions[0].slots[0]
        if slot.mixed is None or self.mixable() is None:
            return self.options[self.table[self.decisions[0].index()]](*inputs)
        return weighted_sum(self.terms(slot.mixed), inputs, slot.recompute)

    def terms(self, mixed: Mixed) -> list[tuple[Tensor, Callable[..., Any]]]:
        """Returns (weight, module) for each part of the weighted sum that a relaxation makes of the choice."""
        weights: dict[int, Tensor] = {}
        for i, weight in mixed.terms():
            at = self.table[i]
            weights[at] = weights[at] + weight if at in weights else weight
        return [(weights[at], self.options[at]) for at in sorted(weights)]

    def relaxed(self) -> Mixed | None:
        """Returns the relaxation if the weighted sum may be computed with those of others.

        It may in training, unless the backward pass is to run it again, or somebody watches the choice with a hook.
        """
        slot = self.decisions[0].slots[0]
        watched = self._forward_hooks or self._forward_pre_hooks
        return slot.mixed if self.training and self.mixable() is not None and not slot.recompute and not watched else None

    def plain(self) -> nn.Module:
        """Returns the active option's module."""
        return self.options[self.table[self.decisions[0].index()]]

    def mixable(self) -> int | None:
        """Returns the number of options; None if the choice depends on several decisions or on a `ManyOf`."""
        slot, *others = self.decisions[0].slots
        return None if others or slot.many else self.decisions[0].sizes[0]

    def branches(self) -> Iterator[tuple[str, nn.Module, bool]]:
        """Yields every option's module. The active option runs, or the live options of a relaxation."""
        mixed = self.decisions[0].slots[0].mixed
        if mixed is None or self.mixable() is None:
            running = {self.decisions[0].index()}
        else:
            running = {i for i, _ in mixed.terms()}
        positions = {self.table[i] for i in running}
        yield from ((f"options.{i}", option, i in positions) for i, option in enumerate(self.options))


def _position(distinct: list[Any], meaning: Any) -> int:
    for i, other in enumerate(distinct):
        if _same(other, meaning):
            return i
    distinct.append(meaning)
    return len(distinct) - 1


def _same(one: Any, other: Any) -> bool:
    """Whether two meanings are equal values that can share a module; open values inside them are equal to themselves alone."""
    if type(one) is not type(other) or not isinstance(one, Hashable):
        return False
    if isinstance(one, Open):
        return one is other
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    if dataclasses.is_dataclass(one) and not isinstance(one, type) and type(one).__eq__ is not object.__eq__:
        return all(_same(getattr(one, name), getattr(other, name)) for name in fields_of(type(one)))
    return one == other


def choose(value: Any, make: Callable[[Any], nn.Module]) -> nn.Module:
    """Returns `make(value)` for a fixed value, and a `Choice` with one module per distinct meaning for an open value."""
    return Choice(value, make) if isinstance(value, Open) else make(value)


class Subset(Deciding):
    """The sum of the members in a subset. Each member is a module of its own; all members get the same inputs.

    `empty` gives the sum of no members, if there is such a thing.
    """

    decision: OpenMany

    def __init__(self, decision: OpenMany, make: Callable[[Any], nn.Module], empty: Callable[..., Tensor] | None = None) -> None:
        super().__init__()
        self.decision = decision
        self.empty = empty
        self.decisions = (decision,)
        self.members = nn.ModuleList(make(member) for member in decision.members)

    def forward(self, *inputs: Any) -> Any:
        """Returns the sum of the active members' outputs, or the weighted sum of the live members' if the decision is relaxed.

        Raises:
            EmptySum: the active subset is empty.
        """
        slot = self.decision.slots[0]
        terms = None if slot.mixed is None else list(slot.mixed.terms())
        if self.empty is not None and not (self.decision.taken() if terms is None else terms):
            return self.empty(*inputs)
        if terms is None:
            return added([self.members[i] for i in self._taken()], inputs)
        return weighted_sum([(weight, self.members[i]) for i, weight in terms], inputs, slot.recompute)

    def plain(self) -> nn.Module:
        """Returns the active members as a plain `Sum`, numbered from 0."""
        if self.empty is not None and not self.decision.taken():
            return Nothing(self.empty)
        return Sum([self.members[i] for i in self._taken()])

    def mixable(self) -> int | None:
        """Returns the number of members."""
        return len(self.members)

    def branches(self) -> Iterator[tuple[str, nn.Module, bool]]:
        """Yields every member. The members of the active subset run, or the live members of a relaxation."""
        mixed = self.decision.slots[0].mixed
        running = self.decision.taken() if mixed is None else [i for i, _ in mixed.terms()]
        yield from ((f"members.{i}", member, i in running) for i, member in enumerate(self.members))

    def _taken(self) -> tuple[int, ...]:
        if taken := self.decision.taken():
            return taken
        path = self.decision.slots[0].path
        raise EmptySum(f"decision {path!r} takes no member, and the sum of nothing has no shape; take at least one member")


def choose_many(value: Any, make: Callable[[Any], nn.Module], empty: Callable[..., Tensor] | None = None) -> nn.Module:
    """Returns a module that sums the outputs of one module per member of `value`; all get the same inputs.

    Args:
        value: a fixed tuple of members, which gives a plain `Sum`; or an open `ManyOf`, which gives a `Subset` with a module for
            every member.
        make: makes the module of a member, whose own decisions may be open.
        empty: gives the sum of no members for the inputs that they would have had; None where there is no such thing.

    Raises:
        EmptySum: a fixed `value` is empty, and `empty` is None.
        UserError: `value` is open but not a `ManyOf` itself.
    """
    if isinstance(value, OpenMany):
        return Subset(value, make, empty)
    if isinstance(value, Open):
        raise UserError(
            f"choose_many reads {', '.join(value.paths)} through a function or with others; give it the ManyOf itself and change "
            "its members inside `make`"
        )
    return Nothing(empty) if empty is not None and not value else Sum([make(member) for member in value])


class InputSubset(Choice):
    """The sum of some of a list of tensors, selected by a `ManyOf`. It has no parameters."""

    def __init__(self, decision: OpenMany) -> None:
        super().__init__(decision, lambda taken: Inputs(tuple(taken), "sum"))
        self.positions = decision.members

    def forward(self, *inputs: Any) -> Any:
        """Returns the sum of the selected tensors, or the weighted sum of the live ones if the decision is relaxed."""
        mixed = self.decisions[0].slots[0].mixed
        if mixed is None:
            return super().forward(*inputs)
        (tensors,) = inputs
        return sum(weight * tensors[self.positions[i]] for i, weight in mixed.terms())

    def mixable(self) -> int | None:
        """Returns the number of inputs that can be selected."""
        return len(self.positions)

    def branches(self) -> Iterator[tuple[str, nn.Module, bool]]:
        """Yields a module for each subset, of which the active one runs."""
        at = self.table[self.decisions[0].index()]
        yield from ((f"options.{i}", option, i == at) for i, option in enumerate(self.options))


def choose_inputs(value: Any, combine: str = "sum") -> nn.Module:
    """Returns a module that takes a list of tensors and combines those at the positions `value` (fixed, or an open `ManyOf`).

    `combine` is `sum`, or `concat` over the channels; any other raises `UserError`. Only a sum can be relaxed.
    """
    if isinstance(value, OpenMany) and combine == "sum":
        return InputSubset(value)
    return choose(value, lambda taken: Inputs(tuple(taken), combine))


class Depth(Deciding, nn.Sequential):
    """The first n modules of a chain, where n is a decision."""

    def __init__(self, layers: Sequence[nn.Module], count: Open) -> None:
        super().__init__(*layers)
        self.decisions = (count,)

    def forward(self, input: Any) -> Any:
        """Runs the active layers in order."""
        for i, layer in enumerate(self):
            if i == self.decisions[0].value():
                break
            input = layer(input)
        return input

    def plain(self) -> nn.Module:
        """Returns the active layers as a plain `nn.Sequential`."""
        return nn.Sequential(*list(self)[: self.decisions[0].value()])

    def branches(self) -> Iterator[tuple[str, nn.Module, bool]]:
        """Yields every layer. The first n layers run."""
        count = self.decisions[0].value()
        yield from ((name, layer, i < count) for i, (name, layer) in enumerate(self.named_children()))


def repeat(items: Sequence[Any], make: Callable[[int, Any], nn.Module]) -> nn.Module:
    """Returns the chain of the modules `make(i, item)`: a `Depth` for an opened `Repeat` with an open count, else plain."""
    layers = [make(i, item) for i, item in enumerate(items)]
    if isinstance(items, OpenRepeat) and isinstance(items.active, Open):
        return Depth(layers, items.active)
    return nn.Sequential(*layers)
