"""A search space is ordinary data with open decisions in it.

A description is made of frozen dataclasses, tuples, dicts and plain values; a `OneOf`, `ManyOf` or `Repeat` anywhere in it is an
open decision, `Where` adds a rule that spans several. One function, `resolve`, walks the data and asks an *oracle* to settle
every decision it meets: sampling, mutation, crossover, enumeration, decoding and encoding are nothing but different oracles.
A decision exists only where the walk reaches it, so conditional spaces need no special syntax and hold no duplicates.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import combinations
from math import comb, prod
from random import Random
from typing import Any

from common.errors import UserError

TRIES = 1000
"""Draws before a `Where` rule counts as impossible to meet by sampling."""


class Invalid(ValueError):
    """A settled description breaks a `Where` rule."""


@dataclasses.dataclass(frozen=True, slots=True, init=False)
class OneOf:
    """A decision: exactly one of `options`, any of which may hold further decisions."""

    options: tuple[Any, ...]
    labels: tuple[str, ...] = dataclasses.field(compare=False, repr=False)

    def __init__(self, *options: Any) -> None:
        if not options:
            raise UserError("OneOf() has no options: a decision needs at least one")
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


@dataclasses.dataclass(frozen=True, slots=True)
class Repeat:
    """`count` copies of `item`, each with decisions of its own: searchable depth. Resolves to a tuple."""

    item: Any
    count: int | OneOf

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
Oracle = Callable[[str, Decision], int]


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
    return getattr(option, "__name__", None) or (str(option) if isinstance(option, str | int | float) else repr(option))


def _labels(options: Sequence[Any]) -> tuple[str, ...]:
    names = ["none" if option is None else _name(option) for option in options]
    return tuple(n if names.count(n) == 1 else f"{n}#{names[:i].count(n)}" for i, n in enumerate(names))


def label(decision: Decision, index: int) -> str:
    """What option `index` is called in files and reports."""
    if isinstance(decision, OneOf):
        return decision.labels[index]
    return "{" + ", ".join(decision.labels[i] for i in decision.subset(index)) + "}"


@lru_cache(maxsize=1024)
def _fields(kind: type) -> tuple[str, ...]:
    return tuple(f.name for f in dataclasses.fields(kind) if f.init)


_PLAIN = frozenset({int, float, str, bool, type(None)})


def resolve(space: Any, oracle: Oracle, path: str = "") -> Any:
    """Returns `space` with every decision replaced by the option that `oracle(path, decision)` picks.

    Raises:
        Invalid: a `Where` rule does not hold for the settled value.
    """
    kind = type(space)
    if kind in _PLAIN:
        return space
    if kind is OneOf:
        index = oracle(path, space)
        option = space.options[index]
        return option if type(option) in _PLAIN else resolve(option, oracle, f"{path}[{space.labels[index]}]")
    if kind is ManyOf:
        taken = space.subset(oracle(path, space))
        return tuple(resolve(space.options[i], oracle, f"{path}[{space.labels[i]}]") for i in taken)
    dot = f"{path}." if path else ""
    if kind is Repeat:
        count = resolve(space.count, oracle, dot + "count")
        return tuple([resolve(space.item, oracle, f"{dot}{i}") for i in range(count)])
    if kind is Where:
        value = resolve(space.item, oracle, path)
        if not space.holds(value):
            raise Invalid(space.why)
        return value
    if kind is tuple or kind is list:
        return tuple([resolve(value, oracle, f"{dot}{i}") for i, value in enumerate(space)])
    if kind is dict:
        return {key: resolve(value, oracle, f"{dot}{key}") for key, value in space.items()}
    if dataclasses.is_dataclass(kind):
        return kind(**{name: resolve(getattr(space, name), oracle, dot + name) for name in _fields(kind)})
    return space


def _record(space: Any, oracle: Oracle) -> Arch:
    choices: dict[str, int] = {}

    def recording(path: str, decision: Decision) -> int:
        choices[path] = index = oracle(path, decision)
        return index

    resolve(space, recording)
    return Arch(choices)


def decode(space: Any, arch: Mapping[str, int]) -> Any:
    """The settled description that `arch` stands for: what a build function takes.

    Raises:
        UserError: `arch` lacks a decision, holds one that is not live, or an option that does not exist.
    """
    met: set[str] = set()

    def oracle(path: str, decision: Decision) -> int:
        met.add(path)
        if path not in arch:
            raise UserError(f"decision {path!r} is not settled by the architecture; give it one of {len(decision)} options")
        if not 0 <= arch[path] < len(decision):
            raise UserError(f"decision {path!r}: option {arch[path]} does not exist; there are {len(decision)}")
        return arch[path]

    settled = resolve(space, oracle)
    if foreign := [path for path in arch if path not in met]:
        raise UserError(f"decision {foreign[0]!r} is not one of this space's live decisions; remove it")
    return settled


def _attempts(space: Any, draw: Callable[[], Arch]) -> Arch:
    why = ""
    for _ in range(TRIES):
        try:
            return draw()
        except Invalid as broken:
            why = str(broken)
    raise UserError(f"no valid architecture in {TRIES} draws: the rule {why!r} is too narrow for sampling; loosen the space")


def sample(space: Any, rng: Random) -> Arch:
    """An architecture with every live decision drawn uniformly."""
    return _attempts(space, lambda: _record(space, lambda _, decision: rng.randrange(len(decision))))


def mutate(space: Any, arch: Arch, rng: Random, rate: float = 0.1) -> Arch:
    """A different architecture: one live decision changes for sure, each other one with probability `rate`.

    Raises:
        UserError: nothing in `arch` can change.
    """
    movable: list[str] = []
    _record(space, lambda path, decision: movable.append(path) or arch[path] if len(decision) > 1 else arch[path])
    if not movable:
        raise UserError("the space holds a single architecture: there is nothing to mutate")

    def draw() -> Arch:
        forced = movable[rng.randrange(len(movable))]

        def oracle(path: str, decision: Decision) -> int:
            old, n = arch.get(path), len(decision)
            if old is None:
                return rng.randrange(n)
            if path == forced or (n > 1 and rng.random() < rate):
                return (old + rng.randrange(1, n)) % n
            return old

        return _record(space, oracle)

    return _attempts(space, draw)


def redraw(space: Any, arch: Arch, rng: Random, rate: float) -> Arch:
    """Re-draws each live decision with probability `rate`; a draw may give the old value (SPOS, DetNAS)."""

    def oracle(path: str, decision: Decision) -> int:
        old = arch.get(path)
        return rng.randrange(len(decision)) if old is None or rng.random() < rate else old

    return _attempts(space, lambda: _record(space, oracle))


def crossover(space: Any, a: Arch, b: Arch, rng: Random) -> Arch:
    """Takes every decision from one of the parents that have it, else draws it: the child is always inside the space."""

    def oracle(path: str, decision: Decision) -> int:
        if path in a and path in b:
            return (a if rng.random() < 0.5 else b)[path]
        return a[path] if path in a else b[path] if path in b else rng.randrange(len(decision))

    return _attempts(space, lambda: _record(space, oracle))


def neighbours(space: Any, arch: Arch) -> Iterator[Arch]:
    """Every valid architecture that differs from `arch` in one decision; decisions that come alive take their first option."""
    live: dict[str, int] = {}
    _record(space, lambda path, decision: arch[path] if live.setdefault(path, len(decision)) else 0)
    for path, n in live.items():
        for index in range(n):
            if index != arch[path]:
                moved = {**arch, path: index}
                try:
                    yield _record(space, lambda p, _, moved=moved: moved.get(p, 0))
                except Invalid:
                    continue


def enumerate_all(space: Any) -> Iterator[Arch]:
    """Every valid architecture once, in lexicographic order: an odometer over the live decisions."""
    digits: tuple[int, ...] | None = ()
    while digits is not None:
        sizes: list[int] = []
        taken: dict[str, int] = {}

        def oracle(
            path: str,
            decision: Decision,
            digits: tuple[int, ...] = digits,
            sizes: list[int] = sizes,
            taken: dict[str, int] = taken,
        ) -> int:
            taken[path] = digits[len(sizes)] if len(sizes) < len(digits) else 0
            sizes.append(len(decision))
            return taken[path]

        try:
            resolve(space, oracle)
            yield Arch(taken)
        except Invalid:
            pass  # the odometer turns at the last decision that the broken rule saw
        values = tuple(taken.values())
        turn = next((i for i in reversed(range(len(values))) if values[i] + 1 < sizes[i]), None)
        digits = None if turn is None else (*values[:turn], values[turn] + 1)


def _parts(space: Any, path: str) -> Iterator[tuple[str, Any]]:
    """What `space` is made of, decisions apart: (path, part)."""
    dot = f"{path}." if path else ""
    match space:
        case OneOf() | ManyOf():
            yield from ((f"{path}[{space.labels[i]}]", option) for i, option in enumerate(space.options))
        case Repeat():
            yield dot + "count", space.count
            yield from ((f"{dot}{i}", space.item) for i in range(space.most()))
        case Where():
            yield path, space.item
        case tuple() | list():
            yield from ((f"{dot}{i}", value) for i, value in enumerate(space))
        case dict():
            yield from ((f"{dot}{key}", value) for key, value in space.items())
        case _ if dataclasses.is_dataclass(space) and not isinstance(space, type):
            yield from ((dot + name, getattr(space, name)) for name in _fields(type(space)))
        case _:
            return


def decisions(space: Any, path: str = "") -> dict[str, Decision]:
    """Every decision that some architecture could meet, live or not, in walk order."""
    found: dict[str, Decision] = {path: space} if isinstance(space, OneOf | ManyOf) else {}
    for part_path, part in _parts(space, path):
        found.update(decisions(part, part_path))
    return found


def size(space: Any, most: int = 1_000_000) -> int:
    """The exact number of architectures: in closed form, by counting where a `Where` rule applies.

    Raises:
        UserError: a `Where` rule spans more than `most` architectures, too many to count.
    """
    match space:
        case OneOf():
            return sum(size(option, most) for option in space.options)
        case ManyOf():
            ways = [1] + [0] * len(space.options)  # ways[k]: how many settled subsets of k options
            for option in space.options:
                n = size(option, most)
                for k in range(len(space.options), 0, -1):
                    ways[k] += ways[k - 1] * n
            return sum(ways[space.low : space.high + 1])
        case Repeat():
            counts = space.count.options if isinstance(space.count, OneOf) else (space.count,)
            return sum(size(space.item, most) ** n for n in counts)
        case Where():
            if (bound := size(space.item, most)) > most:
                raise UserError(f"the rule {space.why!r} spans {bound:,} architectures, more than {most:,}: too many to count")
            return sum(1 for _ in enumerate_all(space))
        case _:
            return prod(size(part, most) for _, part in _parts(space, ""))


def restrict(space: Any, keep: Mapping[str, Sequence[int]]) -> Any:
    """`space` with only the options `keep[path]` left at the decisions named; paths and labels of the rest stay.

    Raises:
        UserError: an unknown path, an empty or impossible choice of options, or a decision inside a `Repeat`.
    """
    known = decisions(space)
    for path, kept in keep.items():
        if path not in known or not isinstance(known[path], OneOf):
            raise UserError(f"cannot restrict {path!r}: the space has no single-choice decision of that name")
        if not kept or not all(0 <= i < len(known[path]) for i in kept):
            raise UserError(f"cannot restrict {path!r} to options {list(kept)}: it has {len(known[path])}; keep at least one")

    def walk(part: Any, path: str) -> Any:
        dot = f"{path}." if path else ""
        match part:
            case OneOf():
                kept = range(len(part)) if path not in keep else sorted(set(keep[path]))
                shrunk = OneOf(*(walk(part.options[i], f"{path}[{part.labels[i]}]") for i in kept))
                object.__setattr__(shrunk, "labels", tuple(part.labels[i] for i in kept))
                return shrunk
            case ManyOf():
                walked = [walk(option, f"{path}[{part.labels[i]}]") for i, option in enumerate(part.options)]
                same = ManyOf(walked, part.low, part.high)
                object.__setattr__(same, "labels", part.labels)
                return same
            case Repeat():
                inside = [p for p in keep if p.startswith(dot) and p != dot + "count"]
                if inside:
                    raise UserError(f"cannot restrict {inside[0]!r}: copies of a Repeat share one item; restrict the item itself")
                return Repeat(part.item, walk(part.count, dot + "count"))
            case Where():
                return Where(walk(part.item, path), part.holds, part.why)
            case tuple() | list():
                return tuple(walk(value, f"{dot}{i}") for i, value in enumerate(part))
            case dict():
                return {key: walk(value, f"{dot}{key}") for key, value in part.items()}
            case _ if dataclasses.is_dataclass(part) and not isinstance(part, type):
                return type(part)(**{n: walk(getattr(part, n), dot + n) for n in _fields(type(part))})
            case _:
                return part

    return walk(space, "")


def describe(space: Any) -> dict[str, list[str]]:
    """Decision path -> labels of its options, in order (a subset decision lists what it chooses from and how many)."""
    return {
        path: list(d.labels) if isinstance(d, OneOf) else [f"{d.low}..{d.high} of", *d.labels]
        for path, d in decisions(space).items()
    }


def space_fingerprint(space: Any) -> str:
    """A short name of the space: changes when a decision or an option is added, removed, renamed or moved."""
    return hashlib.sha256(json.dumps(list(describe(space).items())).encode()).hexdigest()[:12]
