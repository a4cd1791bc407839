"""The one walk over a description; every reading of a space is an oracle that it asks."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from common.errors import UserError
from common.space.values import Arch, Decision, Invalid, ManyOf, OneOf, Repeat, Where

Oracle = Callable[[str, Decision], int]
"""(path of a decision, the decision) -> the index of its option; of a `ManyOf` the index of its subset."""


@lru_cache(maxsize=1024)
def fields_of(kind: type) -> tuple[str, ...]:
    """The names of a dataclass's constructor fields."""
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
        return kind(**{name: resolve(getattr(space, name), oracle, dot + name) for name in fields_of(kind)})
    return space


def parts(space: Any, path: str) -> Iterator[tuple[str, Any]]:
    """What `space` is made of, whatever is chosen: (path, part), the options of a decision and all copies of a `Repeat`."""
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
            yield from ((dot + name, getattr(space, name)) for name in fields_of(type(space)))
        case _:
            return


def record(space: Any, oracle: Oracle) -> Arch:
    """The architecture that `oracle` decides on, in walk order; raises `Invalid` like `resolve`."""
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
        Invalid: a `Where` rule does not hold.
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
