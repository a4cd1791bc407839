"""Open decisions as a build function sees them, and the modules that read them at run time.

`opened(space)` names every decision. A build function then uses `choose`, `fmap`, `repeat` and the constructors of
`common.supernet.elastic` on its fields without caring whether they are settled: with settled values they give plain torch
modules, with open ones the parts of a supernet. Nothing else in a network knows about search.
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
    """How the options of one decision are mixed: the continuous relaxation of DARTS (1806.09055, equation 2) and its kin.

    Attributes:
        weights: Shape (n,): one per option of a `OneOf`, one per member of a `ManyOf`; gradients flow into it.
        live: The options that are computed, all by default; the others add nothing to the sum and their parameters get no
            gradient (None, not zero).
    """

    weights: Tensor
    live: tuple[int, ...] | None = None

    def terms(self) -> list[tuple[int, Tensor]]:
        """The live options, ascending, each with its weight (a scalar)."""
        weights = self.weights.unbind()
        return [(i, weights[i]) for i in (range(len(weights)) if self.live is None else sorted(self.live))]


class Slot:
    """What one decision is set to now; every module that reads the decision holds the same slot."""

    __slots__ = ("active", "many", "mixed", "path", "recompute")

    def __init__(self, path: str, *, many: bool = False) -> None:
        self.path = path
        self.many = many  # a `ManyOf`: its options are subsets, but members are mixed
        self.active = 0
        self.mixed: Mixed | None = None  # the relaxation of the decision, instead of its active option
        self.recompute = False  # whether what is mixed is run again in the backward pass

    def __deepcopy__(self, memo: dict[int, Any]) -> Slot:
        """A slot set alike; the mixture is the same one, for its weights belong to a graph."""
        twin = memo[id(self)] = Slot(self.path, many=self.many)
        twin.active, twin.mixed, twin.recompute = self.active, self.mixed, self.recompute
        return twin


@dataclasses.dataclass(frozen=True, eq=False)
class Open:
    """A decision (or several, read together) seen by a build function: what each combination of options means here."""

    slots: tuple[Slot, ...]
    sizes: tuple[int, ...]
    meanings: tuple[Any, ...]  # row-major over the options of `slots`

    def index(self) -> int:
        """The active combination's position in `meanings`."""
        if len(self.slots) == 1:
            return self.slots[0].active
        flat = 0
        for slot, n in zip(self.slots, self.sizes, strict=True):
            flat = flat * n + slot.active
        return flat

    def value(self) -> Any:
        """What the active options mean here."""
        return self.meanings[self.index()]

    @property
    def paths(self) -> tuple[str, ...]:
        """The decisions read."""
        return tuple(slot.path for slot in self.slots)


@dataclasses.dataclass(frozen=True, eq=False)
class OpenMany(Open):
    """An open `ManyOf`: its meanings are the tuples of the members taken. `fmap` over it gives a plain `Open`."""

    members: tuple[Any, ...]
    subsets: tuple[tuple[int, ...], ...]  # by rank, the numbers of the members taken

    def taken(self) -> tuple[int, ...]:
        """The numbers of the members in the active subset."""
        return self.subsets[self.index()]


class OpenRepeat(tuple[Any, ...]):
    """The opened copies of a `Repeat`, as many as there can be; `active` says how many are active."""

    active: Open | int

    def __new__(cls, items: Sequence[Any], count: Open | int) -> OpenRepeat:
        self = super().__new__(cls, items)
        self.active = count
        return self


def opened(space: Any, path: str = "", slots: dict[str, Slot] | None = None) -> Any:
    """Returns `space` with every decision replaced by an `Open` that knows its path."""
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
    """`f(*values)`, under the decisions if some of the values are open: `fmap(lambda c: 4 * c, width)`."""
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
    """The largest number that `value` can mean."""
    return max(value.meanings) if isinstance(value, Open) else value


class Deciding(nn.Module):
    """A module whose work depends on decisions; `plain` gives the plain module of the active options."""

    decisions: tuple[Open, ...]

    def plain(self) -> nn.Module:
        """The active part as a plain torch module that shares, or holds slices of, this one's weights."""
        raise AssertionError("abstract")

    def mixable(self) -> int | None:
        """How many weights the module's decision is mixed by; None if it runs one option at a time."""
        return None

    def gates(self) -> tuple[Open, ...]:
        """The decisions of which one option runs at a time, its weight multiplying the output if the option was sampled."""
        return ()

    def branches(self) -> Iterator[tuple[str, nn.Module, bool]]:
        """The parts that decisions switch on and off, by their names from here, and whether they run now."""
        yield from ((name, child, True) for name, child in self.named_children())


class Choice(Deciding):
    """One of several modules. Options that mean the same here share one module (and its weights)."""

    def __init__(self, decision: Open, make: Callable[[Any], nn.Module]) -> None:
        super().__init__()
        distinct: list[Any] = []
        self.table = [_position(distinct, meaning) for meaning in decision.meanings]
        self.decisions = (decision,)
        self.options = nn.ModuleList(make(meaning) for meaning in distinct)

    def forward(self, *inputs: Any) -> Any:
        """The active option's output; where the decision is mixed, the weighted sum of the live options' outputs.

        Live options that share a module are computed once, under the sum of their weights.
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
        """The active option itself."""
        return self.options[self.table[self.decisions[0].index()]]

    def mixable(self) -> int | None:
        """One weight for each option, unless what is chosen hangs on several decisions or is a subset."""
        slot, *others = self.decisions[0].slots
        return None if others or slot.many else self.decisions[0].sizes[0]

    def branches(self) -> Iterator[tuple[str, nn.Module, bool]]:
        """The options; one is active, or those that are live in a mixture."""
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
    """The module of a settled value, or a `Choice` among the modules of an open one."""
    return Choice(value, make) if isinstance(value, Open) else make(value)


class Subset(Deciding):
    """The members of a subset, each a module of its own, their outputs summed; all get the same inputs."""

    decision: OpenMany

    def __init__(self, decision: OpenMany, make: Callable[[Any], nn.Module]) -> None:
        super().__init__()
        self.decision = decision
        self.decisions = (decision,)
        self.members = nn.ModuleList(make(member) for member in decision.members)

    def forward(self, *inputs: Any) -> Any:
        """The sum of the active members' outputs; where the decision is mixed, the weighted sum of the live ones'.

        Raises:
            EmptySum: the active subset is empty.
        """
        slot = self.decision.slots[0]
        if slot.mixed is None:
            return added([self.members[i] for i in self._taken()], inputs)
        return weighted_sum([(weight, self.members[i]) for i, weight in slot.mixed.terms()], inputs, slot.recompute)

    def plain(self) -> nn.Module:
        """The active members, numbered anew, as a plain `Sum`."""
        return Sum([self.members[i] for i in self._taken()])

    def mixable(self) -> int | None:
        """One weight for each member."""
        return len(self.members)

    def branches(self) -> Iterator[tuple[str, nn.Module, bool]]:
        """The members; those of the active subset run, or those that are live in a mixture."""
        mixed = self.decision.slots[0].mixed
        running = self.decision.taken() if mixed is None else [i for i, _ in mixed.terms()]
        yield from ((f"members.{i}", member, i in running) for i, member in enumerate(self.members))

    def _taken(self) -> tuple[int, ...]:
        if taken := self.decision.taken():
            return taken
        path = self.decision.slots[0].path
        raise EmptySum(f"decision {path!r} takes no member, and the sum of nothing has no shape; take at least one member")


def choose_many(value: Any, make: Callable[[Any], nn.Module]) -> nn.Module:
    """One module for each member taken, outputs summed; every module gets the inputs that this one is given.

    Args:
        value: the settled value of a `ManyOf`, a tuple of members, which gives a plain `Sum`; or the open decision, which gives a
            `Subset` that holds a module for every member.
        make: the module of a member, whose own decisions may be open.

    Raises:
        EmptySum: a settled `value` is empty (a builder that allows this leaves the node out).
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
    """Which of a list of tensors are summed; without weights of its own."""

    def __init__(self, decision: OpenMany) -> None:
        super().__init__(decision, lambda taken: Inputs(tuple(taken), "sum"))
        self.positions = decision.members

    def forward(self, *inputs: Any) -> Any:
        """The sum of the tensors taken; where the decision is mixed, the weighted sum of the live ones."""
        mixed = self.decisions[0].slots[0].mixed
        if mixed is None:
            return super().forward(*inputs)
        (tensors,) = inputs
        return sum(weight * tensors[self.positions[i]] for i, weight in mixed.terms())

    def mixable(self) -> int | None:
        """One weight for each input."""
        return len(self.positions)

    def branches(self) -> Iterator[tuple[str, nn.Module, bool]]:
        """The subsets, which hold no weights; the active one runs."""
        at = self.table[self.decisions[0].index()]
        yield from ((f"options.{i}", option, i == at) for i, option in enumerate(self.options))


def choose_inputs(value: Any, combine: str = "sum") -> nn.Module:
    """A module that takes a list of tensors and combines those numbered in `value` (settled, or an open `ManyOf`).

    Summed inputs can be mixed, a weight for each; concatenated ones cannot.
    """
    if isinstance(value, OpenMany) and combine == "sum":
        return InputSubset(value)
    return choose(value, lambda taken: Inputs(tuple(taken), combine))


class Depth(Deciding, nn.Sequential):
    """The first n of a chain of modules, n being a decision."""

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
        """The active layers as a plain `nn.Sequential`."""
        return nn.Sequential(*list(self)[: self.decisions[0].value()])

    def branches(self) -> Iterator[tuple[str, nn.Module, bool]]:
        """The layers, of which the first ones are active."""
        count = self.decisions[0].value()
        yield from ((name, layer, i < count) for i, (name, layer) in enumerate(self.named_children()))


def repeat(items: Sequence[Any], make: Callable[[int, Any], nn.Module]) -> nn.Module:
    """A chain of `make(i, item)`, as deep as decided: a plain `nn.Sequential` when settled."""
    layers = [make(i, item) for i, item in enumerate(items)]
    if isinstance(items, OpenRepeat) and isinstance(items.active, Open):
        return Depth(layers, items.active)
    return nn.Sequential(*layers)
