"""Open decisions and settled architectures: the values a search space is made of."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, ItemsView, Iterator, KeysView, Mapping, Sequence, ValuesView
from math import comb
from typing import Any

from common.errors import UserError


class Invalid(ValueError):
    """A settled description breaks a `Where` rule."""


def _holds_several(option: object) -> bool:
    """Whether something looks like the options in one value: arrays and tensors among them."""
    return isinstance(option, list | range | set | frozenset | Iterator) or hasattr(option, "__array__")


@dataclasses.dataclass(frozen=True, slots=True, init=False)
class OneOf:
    """A decision: exactly one of `options`, any of which may hold further decisions.

    Raises:
        UserError: no option, a list, set, range or iterator in the place of options, or a number or text given twice.

    >>> OneOf(16, 32)
    OneOf(options=(16, 32))
    >>> OneOf([16, 32])
    Traceback (most recent call last):
        ...
    common.errors.UserError: OneOf([16, 32]) has one option, a list; give its items as options: OneOf(*[16, 32])
    """

    options: tuple[Any, ...]
    labels: tuple[str, ...] = dataclasses.field(compare=False, repr=False)

    def __init__(self, *options: Any) -> None:
        if not options:
            raise UserError("OneOf() has no options: a decision needs at least one")
        if len(options) == 1 and _holds_several(options[0]):
            given = f"{options[0]!r}"
            kind = type(options[0]).__name__
            raise UserError(f"OneOf({given}) has one option, a {kind}; give its items as options: OneOf(*{given})")
        seen: set[tuple[type, Any]] = set()
        for option in options:
            if isinstance(option, int | float | str):
                if (type(option), option) in seen:
                    raise UserError(f"OneOf has the option {option!r} twice; give each option once: an architecture has one name")
                seen.add((type(option), option))
        object.__setattr__(self, "options", options)
        object.__setattr__(self, "labels", _labels(options))

    def __len__(self) -> int:
        return len(self.options)


@dataclasses.dataclass(frozen=True, slots=True, init=False)
class ManyOf:
    """A decision: `low` to `high` of `options`, kept in their order; it resolves to the tuple of those taken.

    The subsets are numbered by size, then lexicographically, so that an option index is the rank of a subset.
    """

    options: tuple[Any, ...]
    low: int
    high: int
    labels: tuple[str, ...] = dataclasses.field(compare=False, repr=False)

    def __init__(self, options: Sequence[Any], low: int, high: int) -> None:
        if not isinstance(options, Sequence):
            raise UserError(f"ManyOf({options!r:.80}, ...): give a sequence of options, then how many are taken, least and most")
        if not all(type(n) is int for n in (low, high)):
            raise UserError(f"ManyOf takes {low!r} to {high!r} of {len(options)} options: give whole numbers")
        if not 0 <= low <= high <= len(options):
            raise UserError(f"ManyOf takes {low} to {high} of {len(options)} options: needs 0 <= low <= high <= options")
        object.__setattr__(self, "options", tuple(options))
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)
        object.__setattr__(self, "labels", _labels(self.options))

    def __len__(self) -> int:
        return sum(comb(len(self.options), k) for k in range(self.low, self.high + 1))

    def subset(self, rank: int) -> tuple[int, ...]:
        """The option numbers in the subset of this rank."""
        n, k = len(self.options), self.low
        while rank >= comb(n, k):
            rank -= comb(n, k)
            k += 1
        taken: list[int] = []
        for i in range(n):
            with_i = comb(n - i - 1, k - len(taken) - 1) if len(taken) < k else 0
            if len(taken) < k and rank < with_i:
                taken.append(i)
            else:
                rank -= with_i
        return tuple(taken)

    def rank(self, subset: Sequence[int]) -> int:
        """The inverse of `subset`."""
        n, k = len(self.options), len(subset)
        before = sum(comb(n, size) for size in range(self.low, k))
        previous = -1
        for position, i in enumerate(subset):
            before += sum(comb(n - j - 1, k - position - 1) for j in range(previous + 1, i))
            previous = i
        return before


@dataclasses.dataclass(frozen=True, slots=True, init=False)
class Repeat:
    """`count` copies of `item`, each with decisions of its own: searchable depth. Resolves to a tuple.

    Raises:
        UserError: the count, or an option of it, is no whole number of 0 or more.
    """

    item: Any
    count: int | OneOf

    def __init__(self, item: Any, count: int | OneOf) -> None:
        counts = count.options if isinstance(count, OneOf) else (count,)
        if odd := [n for n in counts if type(n) is not int or n < 0]:
            raise UserError(f"Repeat has {odd[0]!r} copies: give a whole number of 0 or more, or OneOf of such numbers")
        object.__setattr__(self, "item", item)
        object.__setattr__(self, "count", count)

    def most(self) -> int:
        """The largest number of copies an architecture can have."""
        return max(self.count.options) if isinstance(self.count, OneOf) else self.count


@dataclasses.dataclass(frozen=True, slots=True)
class Where:
    """`item`, of which only settled values with `holds(value)` are valid; `why` says the rule in words."""

    item: Any
    holds: Callable[[Any], bool]
    why: str


Decision = OneOf | ManyOf
"""An open decision: one option of several, or a subset of them."""


class Arch(Mapping[str, int]):
    """A settled choice: decision path -> option index (a subset's rank for `ManyOf`), live decisions only. Hashable."""

    __slots__ = ("_choices", "_hash")

    def __init__(self, choices: Mapping[str, int]) -> None:
        self._choices = dict(choices)
        self._hash: int | None = None

    def __getitem__(self, path: str) -> int:
        return self._choices[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._choices)

    def __len__(self) -> int:
        return len(self._choices)

    # Mapping's own versions of these go through `__getitem__`, one call per decision
    def __contains__(self, path: object) -> bool:
        return path in self._choices

    def keys(self) -> KeysView[str]:
        return self._choices.keys()

    def values(self) -> ValuesView[int]:
        return self._choices.values()

    def items(self) -> ItemsView[str, int]:
        return self._choices.items()

    def switched(self, path: str, option: int) -> Arch:
        """A copy with another option at one decision; whether that is an architecture is the caller's business."""
        copy = Arch(self._choices)
        copy._choices[path] = option
        return copy

    def __eq__(self, other: object) -> bool:
        return self._choices == other._choices if isinstance(other, Arch) else NotImplemented

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(frozenset(self._choices.items()))
        return self._hash

    def __reduce__(self) -> tuple[type[Arch], tuple[dict[str, int]]]:
        return Arch, (self._choices,)  # the cached hash holds for one process only

    def __repr__(self) -> str:
        return f"Arch({self._choices})"

    @property
    def fingerprint(self) -> str:
        """A short name, the same in every process and Python version."""
        return hashlib.sha256(json.dumps(self._choices, sort_keys=True).encode()).hexdigest()[:12]


def _name(option: Any) -> str:
    if dataclasses.is_dataclass(option) and not isinstance(option, type):
        shown = [
            f"{f.name}={_name(value)}"
            for f in dataclasses.fields(option)
            if isinstance(value := getattr(option, f.name), str | int | float | bool)
            and (f.default is dataclasses.MISSING or value != f.default)
        ]
        return type(option).__name__ + (f"({', '.join(shown)})" if shown else "")
    if isinstance(option, tuple | list):
        return "(" + ", ".join(_name(item) for item in option) + ")"
    if isinstance(option, str):
        return repr(option) if not option or "," in option else option  # so that a subset's label reads one way only
    return getattr(option, "__name__", None) or (str(option) if isinstance(option, int | float) else repr(option))


def _labels(options: Sequence[Any]) -> tuple[str, ...]:
    names = ["none" if option is None else _name(option) for option in options]
    while len(set(names)) < len(names):  # once is enough, unless an option is called like a numbered twin of others
        names = [n if names.count(n) == 1 else f"{n}#{names[:i].count(n)}" for i, n in enumerate(names)]
    return tuple(names)


def label(decision: Decision, index: int) -> str:
    """What option `index` is called in files and reports."""
    if isinstance(decision, OneOf):
        return decision.labels[index]
    return "{" + ", ".join(decision.labels[i] for i in decision.subset(index)) + "}"
