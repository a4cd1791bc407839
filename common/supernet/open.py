"""Open decisions as a build function receives them.

`opened(space)` replaces every decision by an `Open` value, which stands for all options at once. A build function hands it to
`choose`, `fmap`, `repeat` or a layer of `common.supernet`. Whatever would read one option of it while the network
is built (a test, a comparison, arithmetic, a lookup) is refused: the supernet would be built for that option alone, or for none.

>>> from common.space import OneOf
>>> width = opened(OneOf(16, 32), "width")
>>> fmap(lambda channels: 2 * channels, width).meanings
(32, 64)
>>> 2 * width
Traceback (most recent call last):
    ...
common.errors.UserError: decision 'width' is open, and the build function computes with it; ...
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any, NoReturn

from torch import Tensor

from common.errors import UserError
from common.space import ManyOf, OneOf, Repeat, Where
from common.space.properties import labels
from common.space.walk import fields_of


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


class NoAttribute(UserError, AttributeError):
    """A build function reads an attribute of an open value."""


class Slot:
    """The active option, or the relaxation, of one decision. All modules that read the decision share its slot."""

    __slots__ = ("active", "labels", "many", "mixed", "path", "recompute")

    def __init__(self, path: str, labels: tuple[str, ...], *, many: bool) -> None:
        self.path = path
        self.labels = labels  # of the decision's options, as `common.space.describe` gives them
        self.many = many  # a `ManyOf`: its options are subsets, but a relaxation weighs its members
        self.active = 0
        self.mixed: Mixed | None = None  # the relaxation of the decision, instead of its active option
        self.recompute = False  # whether the backward pass runs relaxed options again

    def __deepcopy__(self, memo: dict[int, Any]) -> Slot:
        """Returns a copy that shares the relaxation, because the relaxation's weights belong to a graph."""
        twin = memo[id(self)] = Slot(self.path, self.labels, many=self.many)
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

    def __repr__(self) -> str:
        return f"Open({', '.join(map(repr, self.paths))}: {', '.join(map(repr, self.meanings))})"

    def __eq__(self, other: object) -> bool:
        """Whether `other` is this same value; only `Open` values can be compared.

        Raises:
            UserError: `other` is no `Open`.
        """
        if isinstance(other, Open):
            return self is other
        self._refuse(f"compares it with {other!r}")

    def __bool__(self) -> bool:
        self._refuse("tests whether it is true")

    def __hash__(self) -> int:
        self._refuse("looks it up, or keeps it as a key")

    def __len__(self) -> int:
        self._refuse("asks for its length")

    def __iter__(self) -> Iterator[Any]:
        self._refuse("iterates over it")

    def __contains__(self, item: object) -> bool:
        self._refuse("searches it")

    def __getitem__(self, index: object) -> Any:
        self._refuse("indexes it")

    def __call__(self, *arguments: object) -> Any:
        self._refuse("calls it")

    def __getattr__(self, name: str) -> Any:
        """Refuses what its options may have and it has not, `net.act.upper()` say; names of protocols are merely absent.

        Raises:
            NoAttribute: a `UserError`, and an `AttributeError` for those who ask with `hasattr`.
        """
        if name.startswith("_") or name in ("slots", "sizes", "meanings", "members", "subsets"):  # a copy in the making
            raise AttributeError(name)
        try:
            self._refuse(f"reads its attribute {name!r}")
        except UserError as error:
            raise NoAttribute(str(error)) from None

    def __array__(self, *arguments: object) -> NoReturn:
        self._refuse("makes an array of it")

    def __str__(self) -> str:
        self._refuse("writes it into a text")

    def __format__(self, form: str) -> str:
        self._refuse("writes it into a text")

    def _number(self, *others: object) -> Any:
        self._refuse("takes it for a number")

    def _computed(self, *others: object) -> Any:
        self._refuse("computes with it")

    def _ordered(self, other: object) -> bool:
        self._refuse("compares it by size")

    __int__ = __float__ = __index__ = __complex__ = __round__ = _number
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __matmul__ = __rmatmul__ = _computed
    __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __divmod__ = __rdivmod__ = _computed
    __pow__ = __rpow__ = __and__ = __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = _computed
    __lshift__ = __rlshift__ = __rshift__ = __rrshift__ = __neg__ = __pos__ = __abs__ = __invert__ = _computed
    __lt__ = __le__ = __gt__ = __ge__ = _ordered

    def _refuse(self, does: str) -> NoReturn:
        which, field = " with ".join(map(repr, self.paths)), self.paths[0].rpartition(".")[2]
        word = field if field.isidentifier() else "value"
        raise UserError(
            f"decision {which} is open, and the build function {does}; a supernet holds all of its options: compute values with "
            f"fmap(lambda {word}: ..., net.{word}), make modules with choose(net.{word}, lambda {word}: ...)"
        )


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
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

    def __getnewargs__(self) -> tuple[Any, ...]:
        """What copies are made of: modules keep their descriptions, and are copied."""
        return tuple(self), self.active


MOST_SUBSETS = 1 << 16
"""Of a `ManyOf` in a supernet."""


def opened(space: Any, path: str = "", slots: dict[str, Slot] | None = None) -> Any:
    """Returns `space`, which lies at `path`, with every decision replaced by an `Open`.

    `slots` maps decision paths to slots: existing slots are reused, new ones are added.

    Raises:
        UserError: a `ManyOf` has more subsets than can be listed.
    """
    slots = {} if slots is None else slots
    dot = f"{path}." if path else ""

    def slot() -> Slot:
        return slots.setdefault(path, Slot(path, tuple(labels(space)), many=isinstance(space, ManyOf)))

    match space:
        case OneOf():
            meanings = tuple(opened(o, f"{path}[{space.labels[i]}]", slots) for i, o in enumerate(space.options))
            return Open((slot(),), (len(space),), meanings)
        case ManyOf():
            inner = tuple(opened(o, f"{path}[{space.labels[i]}]", slots) for i, o in enumerate(space.options))
            if len(space) > MOST_SUBSETS:
                raise UserError(
                    f"decision {path!r} has {len(space):,} subsets of {len(space.options)} options, and a supernet lists them, "
                    f"{MOST_SUBSETS:,} at most; give it fewer options"
                )
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


def current(value: Any) -> Any:
    """Returns the active meaning of an open `value`, or `value` itself if it is fixed."""
    return value.value() if isinstance(value, Open) else value


def meanings(value: Any) -> tuple[Any, ...]:
    """Returns the meanings of an open `value`, or `value` alone if it is fixed."""
    return value.meanings if isinstance(value, Open) else (value,)


def largest(value: Any) -> Any:
    """Returns the largest meaning of an open `value`, or `value` itself if it is fixed."""
    return max(meanings(value))
