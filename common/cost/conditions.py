"""For each conditional decision: its parent decision, and the parent's options under which it exists.

Cost tables use this to know which decisions an architecture has.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from common.space import Arch, Invalid, ManyOf, OneOf, Repeat, Where, decode, record
from common.space.walk import fields_of

Condition = tuple[str, frozenset[int]]
"""The parent decision, and the parent's options under which the conditional decision exists."""

ABSENT = -1
"""Option number that stands for a decision which the architecture does not have."""


def conditions_of(space: Any) -> dict[str, Condition | None]:
    """Returns decision path -> condition, with each parent before its children.

    A condition of None means that every architecture has the decision. For `{"a": OneOf(1, {"b": OneOf(3, 5)})}` the decision
    `a` has no condition, and the inner decision has `("a", frozenset({1}))`: it exists under option 1 of `a`.
    """
    found: dict[str, Condition | None] = {}

    def under(path: str, options: Sequence[int], n: int) -> Condition | None:
        return found[path] if len(options) == n else (path, frozenset(options))

    def walk(part: Any, path: str, parent: Condition | None) -> None:
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


def with_options(space: Any, wanted: Mapping[str, int]) -> Arch | None:
    """Returns the architecture with the options `wanted` and the first option of every other decision.

    Decisions that this architecture does not have are ignored in `wanted`. The result is None if a `Where` rule of the space
    forbids the architecture.
    """
    try:
        return record(space, lambda path, _: max(wanted.get(path, 0), 0))
    except Invalid:
        return None


def valid(space: Any, choices: Mapping[str, int]) -> bool:
    """Whether the architecture `choices` satisfies every `Where` rule of the space.

    Raises:
        UserError: `choices` lacks a decision, has a decision that does not exist, or an option that does not exist.
    """
    try:
        decode(space, choices)
    except Invalid:
        return False
    return True


def assignments(
    paths: Sequence[str], sizes: Mapping[str, int], conditions: Mapping[str, Condition | None]
) -> Iterator[dict[str, int]]:
    """Yields every assignment of options to the decisions `paths` and to all their parents.

    Args:
        paths: the decisions to assign.
        sizes: decision path -> number of options.
        conditions: see `conditions_of`.

    Yields:
        Decision path -> option, parents first. A decision that does not exist under the options of its parent is `ABSENT`.
    """
    needed = set(paths)
    for path in reversed(list(conditions)):
        if path in needed and (condition := conditions[path]) is not None:
            needed.add(condition[0])
    order = [path for path in conditions if path in needed]

    def extend(position: int, taken: dict[str, int]) -> Iterator[dict[str, int]]:
        if position == len(order):
            yield dict(taken)
            return
        path = order[position]
        condition = conditions[path]
        lives = condition is None or taken[condition[0]] in condition[1]
        for option in range(sizes[path]) if lives else (ABSENT,):
            taken[path] = option
            yield from extend(position + 1, taken)

    yield from extend(0, {})
