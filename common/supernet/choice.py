"""Open decisions as a build function sees them, and the modules that read them at run time.

`opened(space)` names every decision. A build function then uses `choose`, `fmap`, `repeat` and the constructors of
`common.supernet.elastic` on its fields without caring whether they are settled: with settled values they give plain torch
modules, with open ones the parts of a supernet. Nothing else in a network knows about search.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Sequence
from itertools import product
from typing import Any

from torch import Tensor, nn

from common.layers import Inputs
from common.space import ManyOf, OneOf, Repeat, Where
from common.space.walk import fields_of


@dataclasses.dataclass(frozen=True, slots=True)
class Mixed:
    """How the options of one decision are mixed: the continuous relaxation of DARTS (1806.09055, equation 2) and its kin.

    Attributes:
        weights: Shape (n,): one per option of a `OneOf`, one per member of a `ManyOf`; gradients flow into it.
        live: The options that are computed, all by default; the others add nothing to the sum.
    """

    weights: Tensor
    live: tuple[int, ...] | None = None


class Slot:
    """What one decision is set to now; every module that reads the decision holds the same slot."""

    __slots__ = ("active", "path", "weights")

    def __init__(self, path: str) -> None:
        self.path = path
        self.active = 0
        self.weights: Sequence[Tensor] | None = None  # a weight for each option: the relaxation of the decision


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
        return slots.setdefault(path, Slot(path))

    match space:
        case OneOf():
            meanings = tuple(opened(o, f"{path}[{space.labels[i]}]", slots) for i, o in enumerate(space.options))
            return Open((slot(),), (len(space),), meanings)
        case ManyOf():
            inner = [opened(o, f"{path}[{space.labels[i]}]", slots) for i, o in enumerate(space.options)]
            subsets = tuple(tuple(inner[i] for i in space.subset(rank)) for rank in range(len(space)))
            return Open((slot(),), (len(space),), subsets)
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
    """A module whose work depends on decisions; `settle` gives the plain module of the active options."""

    decisions: tuple[Open, ...]

    def settle(self) -> nn.Module:
        """The active part as a plain torch module that shares, or holds slices of, this one's weights."""
        raise AssertionError("abstract")


class Choice(Deciding):
    """One of several modules. Options that mean the same here share one module (and its weights)."""

    def __init__(self, decision: Open, make: Callable[[Any], nn.Module]) -> None:
        super().__init__()
        distinct: list[Any] = []
        self.table = [_position(distinct, meaning) for meaning in decision.meanings]
        self.decisions = (decision,)
        self.options = nn.ModuleList(make(meaning) for meaning in distinct)

    def forward(self, *inputs: Any) -> Any:
        """The active option's output; with weights on the options (a relaxation), their weighted sum."""
        decision = self.decisions[0]
        weights = decision.slots[0].weights
        if weights is None:
            return self.options[self.table[decision.index()]](*inputs)
        outputs = [option(*inputs) for option in self.options]
        return sum(weight * outputs[i] for weight, i in zip(weights, self.table, strict=True))

    def settle(self) -> nn.Module:
        """The active option itself."""
        return self.options[self.table[self.decisions[0].index()]]

    def active_name(self) -> str:
        """The active option's name among this module's descendants."""
        return f"options.{self.table[self.decisions[0].index()]}"


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


def choose_inputs(value: Any, combine: str = "sum") -> nn.Module:
    """A module that takes a list of tensors and combines those numbered in `value` (settled, or an open `ManyOf`)."""
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

    def settle(self) -> nn.Module:
        """The active layers as a plain `nn.Sequential`."""
        return nn.Sequential(*list(self)[: self.decisions[0].value()])


def repeat(items: Sequence[Any], make: Callable[[int, Any], nn.Module]) -> nn.Module:
    """A chain of `make(i, item)`, as deep as decided: a plain `nn.Sequential` when settled."""
    layers = [make(i, item) for i, item in enumerate(items)]
    if isinstance(items, OpenRepeat) and isinstance(items.active, Open):
        return Depth(layers, items.active)
    return nn.Sequential(*layers)
