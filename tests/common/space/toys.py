"""Spaces that hold every kind of decision, small enough to enumerate, and a strategy that makes more of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from common.space import ManyOf, OneOf, Repeat, Where


@dataclass(frozen=True, slots=True, kw_only=True)
class Conv:
    kernel: Any
    width: Any = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Net:
    stem: Any
    body: Any
    extras: Any = ()


NESTED = Net(
    stem=OneOf(4, 8),
    body=Repeat(OneOf("skip", Conv(kernel=OneOf(3, 5), width=OneOf(8, 16, 24))), OneOf(0, 1, 2)),
    extras=ManyOf(["pool", Conv(kernel=OneOf(1, 3)), "norm"], 1, 2),
)
"""2 stems; 1 + 7 + 49 bodies; subsets of {1, 2, 1} options: 4 of one, 1*2 + 1*1 + 2*1 of two."""
NESTED_SIZE = 2 * (1 + 7 + 49) * (4 + 5)

BOUNDED = Where(
    Net(stem=OneOf(1, 2, 3), body=tuple(OneOf(1, 2, 3) for _ in range(2))),
    lambda net: net.stem <= min(net.body),
    "the stem is no wider than the body",
)
"""Stem s leaves (4 - s) ** 2 bodies."""
BOUNDED_SIZE = 9 + 4 + 1

PLAIN = st.sampled_from([None, True, 1, 2, 3.5, "a", "b"])


def _grown(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    options = st.lists(inner, min_size=1, max_size=3, unique_by=repr)
    subsets = st.lists(inner, min_size=1, max_size=3).flatmap(
        lambda items: st.tuples(st.integers(0, len(items)), st.integers(0, len(items))).map(
            lambda ends: ManyOf(items, min(ends), max(ends))
        )
    )
    counts = st.sampled_from([0, 1, 2, OneOf(0, 2), OneOf(1, 2)])
    return st.one_of(
        options.map(lambda items: OneOf(*items)),
        subsets,
        st.builds(Repeat, inner, counts),
        st.builds(lambda a, b: Conv(kernel=a, width=b), inner, inner),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.sampled_from(["x", "y"]), inner, max_size=2),
    )


SPACES = st.recursive(PLAIN, _grown, max_leaves=8)
"""Random descriptions with nested decisions of every kind, duplicates of a subset's options included."""
