"""Enumeration, size, decisions, restriction and names of whole spaces."""

from math import comb

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from common.errors import UserError
from common.space import (
    ManyOf,
    OneOf,
    Repeat,
    Where,
    decisions,
    decode,
    describe,
    enumerate_all,
    label,
    restrict,
    size,
    space_fingerprint,
)
from tests.common.space.toys import BOUNDED, BOUNDED_SIZE, NESTED, NESTED_SIZE, SPACES, Conv, Net

FEW = settings(derandomize=True, max_examples=60, deadline=None, database=None)


@pytest.mark.parametrize(("space", "count"), [(NESTED, NESTED_SIZE), (BOUNDED, BOUNDED_SIZE)])
def test_enumeration_is_complete_and_has_no_duplicate(space, count):
    archs = list(enumerate_all(space))
    assert len(archs) == len(set(archs)) == count == size(space)
    assert len({repr(decode(space, arch)) for arch in archs}) == count  # no two archs mean the same


@FEW
@given(SPACES)
def test_size_is_the_length_of_the_enumeration(space):
    assume(size(space) <= 2000)
    archs = list(enumerate_all(space))
    assert len(archs) == len(set(archs)) == size(space)
    assert {path for arch in archs for path in arch} == set(decisions(space)) - unreachable(space)


def unreachable(space):
    """Decisions on options that no subset takes: `ManyOf(..., 0, 0)` and `Repeat(..., 0)` make them."""
    return {path for path in decisions(space) if not any(path in arch for arch in enumerate_all(space))}


@FEW
@given(st.integers(0, 6), st.data())
def test_subsets_and_ranks_are_one_to_one(n, data):
    high = data.draw(st.integers(0, n))
    low = data.draw(st.integers(0, high))
    many = ManyOf([f"o{i}" for i in range(n)], low, high)
    subsets = [many.subset(rank) for rank in range(len(many))]
    assert len(set(subsets)) == len(many) == sum(comb(n, k) for k in range(low, high + 1))
    assert [many.rank(subset) for subset in subsets] == list(range(len(many)))
    assert subsets == sorted(subsets, key=lambda subset: (len(subset), subset))
    assert all(low <= len(subset) <= high and list(subset) == sorted(set(subset)) for subset in subsets)


def test_a_rule_inside_a_choice_is_counted_in_its_place():
    space = Net(stem=OneOf("none", BOUNDED), body=OneOf(1, 2))
    assert size(space) == (1 + BOUNDED_SIZE) * 2 == len(list(enumerate_all(space)))


def test_a_rule_over_too_much_is_not_counted():
    space = Where(tuple(OneOf(*range(10)) for _ in range(8)), lambda value: True, "anything goes")
    with pytest.raises(UserError, match="'anything goes' spans 100,000,000 architectures"):
        size(space)


def test_decisions_that_are_dead_in_an_architecture_are_listed_too():
    assert set(decisions(NESTED)) == {
        "stem",
        "body.count",
        "body.0",
        "body.0[Conv].kernel",
        "body.0[Conv].width",
        "body.1",
        "body.1[Conv].kernel",
        "body.1[Conv].width",
        "extras",
        "extras[Conv].kernel",
    }


@pytest.mark.parametrize(
    ("keep", "count"),
    [
        ({"stem": [1]}, NESTED_SIZE // 2),
        ({"body.count": [0, 2]}, 2 * (1 + 49) * 9),
        ({"extras[Conv].kernel": [0], "stem": [0]}, (1 + 7 + 49) * (3 + 3)),
    ],
)
def test_restricting_leaves_the_architectures_that_keep_the_options(keep, count):
    smaller = restrict(NESTED, keep)
    assert size(smaller) == count
    kept = {path: [label(decisions(NESTED)[path], i) for i in options] for path, options in keep.items()}
    assert {path: describe(smaller)[path] for path in keep} == kept
    settled = {repr(decode(NESTED, arch)) for arch in enumerate_all(NESTED)}
    assert {repr(decode(smaller, arch)) for arch in enumerate_all(smaller)} <= settled


def test_restricting_keeps_paths_where_duplicate_labels_lose_their_twin():
    space = OneOf(Conv(kernel=OneOf(3, 5)), Conv(kernel=OneOf(7, 9)))
    assert set(decisions(restrict(space, {"": [1]}))) == {"", "[Conv#1].kernel"}


def test_restricting_keeps_a_rule():
    assert size(restrict(BOUNDED, {"stem": [1, 2]})) == 4 + 1


@pytest.mark.parametrize(
    ("keep", "reason"),
    [
        ({"nowhere": [0]}, "no single-choice decision"),
        ({"extras": [0]}, "no single-choice decision"),
        ({"stem": []}, "keep at least one"),
        ({"stem": [2]}, "it has 2"),
        ({"stem": [-1]}, "it has 2"),
        ({"body.0": [0]}, "copies of a Repeat share one item"),
    ],
)
def test_a_restriction_that_cannot_be_is_refused(keep, reason):
    with pytest.raises(UserError, match=reason):
        restrict(NESTED, keep)


def test_labels_are_told_apart():
    assert ManyOf([None, "none", 3, 3, "3#0"], 1, 1).labels == ("none#0", "none#1", "3#0#0", "3#1", "3#0#1")
    many = ManyOf(["a", "b", "a, b"], 0, 3)
    assert len({label(many, rank) for rank in range(len(many))}) == len(many)


@FEW
@given(st.lists(st.sampled_from(["a", "b", "a#0", "a#1", "a#0#0", "a, b", "", 1, "1", None, "none"]), min_size=1, max_size=6))
def test_labels_of_a_decision_are_never_equal(options):
    assert len(set(OneOf(*dict.fromkeys(options)).labels)) == len(dict.fromkeys(options))
    many = ManyOf(options, 0, min(3, len(options)))
    assert len({label(many, rank) for rank in range(len(many))}) == len(many)


def test_the_fingerprint_sees_options_and_their_order():
    spaces = [OneOf(3, 5), OneOf(5, 3), OneOf(3, 5, 7), OneOf(3), (OneOf(3, 5),), ManyOf([3, 5], 1, 1), ManyOf([3, 5], 0, 1)]
    assert len({space_fingerprint(space) for space in spaces}) == len(spaces)
    assert space_fingerprint(OneOf(3, 5)) == space_fingerprint(OneOf(3, 5))


def test_impossible_decisions_are_refused():
    with pytest.raises(UserError, match="needs at least one"):
        OneOf()
    with pytest.raises(UserError, match="takes 1 to 3 of 2 options"):
        ManyOf(["a", "b"], 1, 3)
    assert Repeat("a", OneOf(2, 5, 3)).most() == 5
