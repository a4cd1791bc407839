"""Open decisions as a build function receives them, and the modules that read open decisions at run time.

`opened(space)` replaces every decision by an `Open` value. A build function uses `choose`, `fmap`, `repeat` and the constructors
of `common.supernet.elastic` on the fields of its description. Fixed fields give plain torch modules, open fields give the parts
of a supernet, so the build function never asks which it has. Nothing else in a network knows about search.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Iterator, Sequence
from itertools import product
from typing import Any

from torch import Tensor, nn

from common.errors import UserError
from common.layers import EmptySum, Inputs, Sum, added
from common.space import ManyOf, OneOf, Repeat, Where
from common.space.walk import fields_of
from common.supernet.mixing import weighted_sum


@dataclasses.dataclass(frozen=True, slots=True)
class Mixed:
    """Weights for the options of one decision: a continuous relaxation as in DARTS (1806.09055, equation 2).

    Attributes:
        weights: Shape (n,): one weight per option of a `OneOf`, or per member of a `ManyOf`. Gradients flow into it.
        live: The options that are computed; None computes all. The other options add nothing to the sum, and their parameters
            get no gradient (None, not zero).
    """

    weights: Tensor
    live: tuple[int, ...] | None = None

    def terms(self) -> list[tuple[int, Tensor]]:
        """Returns (option, weight) for the live options, ascending; a weight is a scalar tensor."""
        weights = self.weights.unbind()
        return [(i, weights[i]) for i in (range(len(weights)) if self.live is None else sorted(self.live))]


class Slot:
    """The active option, or the relaxation, of one decision. All modules that read the decision share its slot."""

    __slots__ = ("active", "many", "mixed", "path", "recompute")

    def __init__(self, path: str, *, many: bool = False) -> None:
        self.path = path
        self.many = many  # a `ManyOf`: its options are subsets, but a relaxation weighs its members
        self.active = 0
        self.mixed: Mixed | None = None  # the relaxation of the decision, instead of its active option
        self.recompute = False  # whether the backward pass runs relaxed options again

    def __deepcopy__(self, memo: dict[int, Any]) -> Slot:
        """Returns a copy that shares the relaxation, because the relaxation's weights belong to a graph."""
        twin = memo[id(self)] = Slot(self.path, many=self.many)
        twin.active, twin.mixed, twin.recompute = self.active, self.mixed, self.recompute
        return twin


@dataclasses.dataclass(frozen=True, eq=False)
class Open:
    """The value that a build function receives for a decision, or for several decisions together (see `fmap`)."""

    slots: tuple[Slot, ...]
    sizes: tuple[int, ...]  # the number of options of each decision
    meanings: tuple[Any, ...]  # the value for each combination of options, row-major over the options of `slots`

    def index(self) -> int:
        """Returns the position of the active combination in `meanings`."""
        if len(self.slots) == 1:
            return self.slots[0].active
        flat = 0
        for slot, n in zip(self.slots, self.sizes, strict=True):
            flat = flat * n + slot.active
        return flat

    def value(self) -> Any:
        """Returns the meaning of the active combination."""
        return self.meanings[self.index()]

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths of the decisions."""
        return tuple(slot.path for slot in self.slots)


@dataclasses.dataclass(frozen=True, eq=False)
class OpenMany(Open):
    """An open `ManyOf`. Its meanings are tuples of the members in a subset; `fmap` over it gives a plain `Open`."""

    members: tuple[Any, ...]  # the options of the `ManyOf`, opened
    subsets: tuple[tuple[int, ...], ...]  # for each rank, the numbers of the members in that subset

    def taken(self) -> tuple[int, ...]:
        """Returns the numbers of the members in the active subset."""
        return self.subsets[self.index()]


class OpenRepeat(tuple[Any, ...]):
    """The opened copies of a `Repeat`, as many as the largest count; `active` is the count, open if it is a decision."""

    active: Open | int

    def __new__(cls, items: Sequence[Any], count: Open | int) -> OpenRepeat:
        self = super().__new__(cls, items)
        self.active = count
        return self


def opened(space: Any, path: str = "", slots: dict[str, Slot] | None = None) -> Any:
    """Returns `space`, which lies at `path`, with every decision replaced by an `Open`.

    `slots` maps decision paths to slots: existing slots are reused, new ones are added.
    """
    slots = {} if slots is None else slots
    dot = f"{path}." if path else ""

    def slot() -> Slot:
        return slots.setdefault(path, Slot(path, many=isinstance(space, ManyOf)))

    match space:
        case OneOf():
            meanings = tuple(opened(o, f"{path}[{space.labels[i]}]", slots) for i, o in enumerate(space.options))
            return Open((slot(),), (len(space),), meanings)
        case ManyOf():
            inner = tuple(opened(o, f"{path}[{space.labels[i]}]", slots) for i, o in enumerate(space.options))
            subsets = tuple(space.subset(rank) for rank in range(len(space)))
            meanings = tuple(tuple(inner[i] for i in subset) for subset in subsets)
            return OpenMany((slot(),), (len(space),), meanings, inner, subsets)
        case Repeat():
            items = [opened(space.item, f"{dot}{i}", slots) for i in range(space.most())]
            return OpenRepeat(items, opened(space.count, dot + "count", slots))
        case Where():
            return opened(space.item, path, slots)
        case tuple() | list():
            return tuple(opened(value, f"{dot}{i}", slots) for i, value in enumerate(space))
        case dict():
            return {key: opened(value, f"{dot}{key}", slots) for key, value in space.items()}
        case _ if dataclasses.is_dataclass(space) and not isinstance(space, type):
            kind = type(space)
            return kind(**{name: opened(getattr(space, name), dot + name, slots) for name in fields_of(kind)})
        case _:
            return space


def fmap(f: Callable[..., Any], *values: Any) -> Any:
    """Returns `f(*values)`, or an `Open` of its results if some of the values are open: `fmap(lambda c: 4 * c, width)`.

    The result has one meaning per combination of options. A decision that several values read counts once.
    """
    decisions = {id(slot): (slot, n) for v in values if isinstance(v, Open) for slot, n in zip(v.slots, v.sizes, strict=True)}
    if not decisions:
        return f(*values)
    order = list(decisions)
    sizes = tuple(decisions[key][1] for key in order)
    meanings = []
    for combination in product(*(range(n) for n in sizes)):
        taken = dict(zip(order, combination, strict=True))
        meanings.append(f(*(_read(value, taken) for value in values)))
    return Open(tuple(decisions[key][0] for key in order), sizes, tuple(meanings))


def _read(value: Any, taken: dict[int, int]) -> Any:
    if not isinstance(value, Open):
        return value
    flat = 0
    for slot, n in zip(value.slots, value.sizes, strict=True):
        flat = flat * n + taken[id(slot)]
    return value.meanings[flat]


def largest(value: Any) -> Any:
    """Returns the largest meaning of an open `value`, or `value` itself if it is fixed."""
    return max(value.meanings) if isinstance(value, Open) else value


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
        mixed = slot.mixed
        if mixed is None or self.mixable() is None:
            return self.options[self.table[self.decisions[0].index()]](*inputs)
        weights: dict[int, Tensor] = {}
        for i, weight in mixed.terms():
            at = self.table[i]
            weights[at] = weights[at] + weight if at in weights else weight
        return weighted_sum([(weights[at], self.options[at]) for at in sorted(weights)], inputs, slot.recompute)

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
    if isinstance(meaning, Hashable):
        for i, other in enumerate(distinct):
            if type(other) is type(meaning) and other == meaning:
                return i
    distinct.append(meaning)
    return len(distinct) - 1


def choose(value: Any, make: Callable[[Any], nn.Module]) -> nn.Module:
    """Returns `make(value)` for a fixed value, and a `Choice` with one module per distinct meaning for an open value."""
    return Choice(value, make) if isinstance(value, Open) else make(value)


class Subset(Deciding):
    """The sum of the members in a subset. Each member is a module of its own; all members get the same inputs."""

    decision: OpenMany

    def __init__(self, decision: OpenMany, make: Callable[[Any], nn.Module]) -> None:
        super().__init__()
        self.decision = decision
        self.decisions = (decision,)
        self.members = nn.ModuleList(make(member) for member in decision.members)

    def forward(self, *inputs: Any) -> Any:
        """Returns the sum of the active members' outputs, or the weighted sum of the live members' if the decision is relaxed.

        Raises:
            EmptySum: the active subset is empty.
        """
        slot = self.decision.slots[0]
        if slot.mixed is None:
            return added([self.members[i] for i in self._taken()], inputs)
        return weighted_sum([(weight, self.members[i]) for i, weight in slot.mixed.terms()], inputs, slot.recompute)

    def plain(self) -> nn.Module:
        """Returns the active members as a plain `Sum`, numbered from 0."""
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


def choose_many(value: Any, make: Callable[[Any], nn.Module]) -> nn.Module:
    """Returns a module that sums the outputs of one module per member of `value`; all get the same inputs.

    Args:
        value: a fixed tuple of members, which gives a plain `Sum`; or an open `ManyOf`, which gives a `Subset` with a module for
            every member.
        make: makes the module of a member, whose own decisions may be open.

    Raises:
        EmptySum: a fixed `value` is empty. A builder that allows empty subsets leaves the node out.
        UserError: `value` is open but not a `ManyOf` itself.
    """
    if isinstance(value, OpenMany):
        return Subset(value, make)
    if isinstance(value, Open):
        raise UserError(
            f"choose_many reads {', '.join(value.paths)} through a function or with others; give it the ManyOf itself and change "
            "its members inside `make`"
        )
    return Sum([make(member) for member in value])


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
