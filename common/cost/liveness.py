"""Which option of which decision brings another one to life: what conditional spaces look like to a table of costs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from common.space import Arch, Invalid, ManyOf, OneOf, Repeat, Where, decode, record
from common.space.walk import fields_of

Alive = tuple[str, frozenset[int]]
"""The decision that another one hangs on, and the options under which that one exists."""

DEAD = -1
"""Stands for the option of a decision that the architecture does not have."""


def liveness(space: Any) -> dict[str, Alive | None]:
    """Decision path -> what it hangs on (None: it is in every architecture), in walk order, so parents come first."""
    found: dict[str, Alive | None] = {}

    def under(path: str, options: Sequence[int], n: int) -> Alive | None:
        return found[path] if len(options) == n else (path, frozenset(options))

    def walk(part: Any, path: str, parent: Alive | None) -> None:
        dot = f"{path}." if path else ""
        match part:
            case OneOf():
                found[path] = parent
                for i, option in enumerate(part.options):
                    walk(option, f"{path}[{part.labels[i]}]", under(path, [i], len(part)))
            case ManyOf():
                found[path] = parent
                subsets = [part.subset(rank) for rank in range(len(part))]
                for i, option in enumerate(part.options):
                    ranks = [rank for rank, subset in enumerate(subsets) if i in subset]
                    walk(option, f"{path}[{part.labels[i]}]", under(path, ranks, len(part)))
            case Repeat():
                walk(part.count, dot + "count", parent)
                for i in range(part.most()):
                    deep = parent
                    if isinstance(part.count, OneOf):
                        enough = [option for option, n in enumerate(part.count.options) if n > i]
                        deep = under(dot + "count", enough, len(part.count))
                    walk(part.item, f"{dot}{i}", deep)
            case Where():
                walk(part.item, path, parent)
            case tuple() | list():
                for i, value in enumerate(part):
                    walk(value, f"{dot}{i}", parent)
            case dict():
                for key, value in part.items():
                    walk(value, f"{dot}{key}", parent)
            case _ if dataclasses.is_dataclass(part) and not isinstance(part, type):
                for name in fields_of(type(part)):
                    walk(getattr(part, name), dot + name, parent)
            case _:
                pass

    walk(space, "", None)
    return found


def settle(space: Any, wanted: Mapping[str, int]) -> Arch | None:
    """The architecture with the options `wanted` where they are live and the first option elsewhere; None if a rule forbids."""
    try:
        return record(space, lambda path, _: max(wanted.get(path, 0), 0))
    except Invalid:
        return None


def valid(space: Any, choices: Mapping[str, int]) -> bool:
    """Whether the settled description keeps the space's rules."""
    try:
        decode(space, choices)
    except Invalid:
        return False
    return True


def assignments(paths: Sequence[str], sizes: Mapping[str, int], alive: Mapping[str, Alive | None]) -> Iterator[dict[str, int]]:
    """Every way to settle `paths` and all they hang on, dead ones included; parents are settled first."""
    needed = set(paths)
    for path in reversed(list(alive)):
        if path in needed and (condition := alive[path]) is not None:
            needed.add(condition[0])
    order = [path for path in alive if path in needed]

    def extend(position: int, taken: dict[str, int]) -> Iterator[dict[str, int]]:
        if position == len(order):
            yield dict(taken)
            return
        path = order[position]
        condition = alive[path]
        lives = condition is None or taken[condition[0]] in condition[1]
        for option in range(sizes[path]) if lives else (DEAD,):
            taken[path] = option
            yield from extend(position + 1, taken)

    yield from extend(0, {})
