"""The space as a whole: its decisions, its size, its name, and smaller spaces cut from it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from common.errors import UserError
from common.space.moves import enumerate_all
from common.space.values import Decision, ManyOf, OneOf, Repeat, Where
from common.space.walk import fields_of, parts


def decisions(space: Any, path: str = "") -> dict[str, Decision]:
    """Every decision that some architecture could meet, live or not, in walk order."""
    found: dict[str, Decision] = {path: space} if isinstance(space, OneOf | ManyOf) else {}
    for part_path, part in parts(space, path):
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
            return prod(size(part, most) for _, part in parts(space, ""))


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
                return type(part)(**{n: walk(getattr(part, n), dot + n) for n in fields_of(type(part))})
            case _:
                return part

    return walk(space, "")


def describe(space: Any) -> dict[str, list[str]]:
    """Decision path -> labels of its options, in order (a subset decision lists what it chooses from and how many)."""
    return {path: labels(decision) for path, decision in decisions(space).items()}


def labels(decision: Decision) -> list[str]:
    """Labels of a decision's options; of a subset decision what it chooses from, and how many."""
    return list(decision.labels) if isinstance(decision, OneOf) else [f"{decision.low}..{decision.high} of", *decision.labels]


def space_fingerprint(space: Any) -> str:
    """A short name of the space: changes when a decision or an option is added, removed, renamed or moved."""
    return hashlib.sha256(json.dumps(list(describe(space).items())).encode()).hexdigest()[:12]
