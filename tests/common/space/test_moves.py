"""Sampling, mutation, crossover and neighbours stay inside the space and move as they promise."""

from collections import Counter
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from common.errors import UserError
from common.space import (
    Arch,
    Invalid,
    ManyOf,
    OneOf,
    Where,
    alone,
    crossover,
    decisions,
    decode,
    enumerate_all,
    mutate,
    neighbours,
    redraw,
    sample,
    sample_leaning,
    size,
)
from tests.common.space.toys import BOUNDED, NESTED, SPACES, Conv

FEW = settings(derandomize=True, max_examples=60, deadline=None, database=None)
ALL = {"nested": NESTED, "bounded": BOUNDED}


@dataclass(frozen=True, kw_only=True)
class Even:
    """A description that looks at its own fields: they do not stand alone."""

    a: Any
    b: Any

    def __post_init__(self) -> None:
        if isinstance(self.a, int) and isinstance(self.b, int) and (self.a + self.b) % 2:
            raise Invalid("the sum is even")


def differing(a: Arch, b: Arch) -> set[str]:
    """Decisions alive in both and set otherwise."""
    return {path for path in a if path in b and a[path] != b[path]}


@pytest.mark.parametrize("name", ALL)
def test_sampling_reaches_every_architecture(name):
    space, rng = ALL[name], Random(0)
    archs = set(enumerate_all(space))
    drawn = {sample(space, rng) for _ in range(60 * len(archs))}
    assert drawn <= archs
    assert len(drawn) > 0.9 * len(archs)


@pytest.mark.parametrize(
    ("ratio", "weights"), [(5.0, (1, 2, 3, 4, 5)), (0.2, (5, 4, 3, 2, 1)), (1.0, (1, 1, 1, 1, 1)), (0.0, (4, 3, 2, 1, 0))]
)
def test_leaning_draws_take_options_in_equal_steps_up_to_the_ratio(ratio, weights):
    space, rng = {"five": OneOf(*"abcde"), "one": OneOf("x"), "two": ManyOf("ab", 1, 1)}, Random(0)
    drawn = [sample_leaning(space, rng, ratio) for _ in range(6000)]
    shares = Counter(arch["five"] for arch in drawn)
    assert [shares[i] / 6000 for i in range(5)] == pytest.approx([weight / sum(weights) for weight in weights], abs=0.02)
    assert {arch["one"] for arch in drawn} == {0}
    assert sum(arch["two"] for arch in drawn) / 6000 == pytest.approx(ratio / (1 + ratio), abs=0.02)


def test_leaning_draws_are_a_function_of_the_generator_and_decide_apart():
    space = tuple(OneOf(1, 2) for _ in range(2))
    first, again = ([sample_leaning(space, rng, 3.0) for _ in range(4000)] for rng in (Random(1), Random(1)))
    assert first == again != [sample_leaning(space, Random(2), 3.0) for _ in range(4000)]
    both = Counter((arch["0"], arch["1"]) for arch in first)
    assert [both[a, b] / 4000 for a in (0, 1) for b in (0, 1)] == pytest.approx([1 / 16, 3 / 16, 3 / 16, 9 / 16], abs=0.02)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("ratio", [0.5, 2.0])
def test_leaning_draws_reach_every_architecture_and_no_other(name, ratio):
    space, rng = ALL[name], Random(0)
    archs = set(enumerate_all(space))
    drawn = {sample_leaning(space, rng, ratio) for _ in range(20 * len(archs))}
    assert drawn <= archs and len(drawn) > 0.6 * len(archs)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("rate", [0.0, 0.3, 1.0])
def test_mutation_always_moves_and_stays_inside(name, rate):
    space, rng = ALL[name], Random(1)
    archs = set(enumerate_all(space))
    movable = [arch for arch in archs if next(neighbours(space, arch), None) is not None]
    for arch in sorted(movable, key=repr)[:200]:
        child = mutate(space, arch, rng, rate)
        assert child != arch
        assert child in archs


@FEW
@given(SPACES, st.integers(0, 2**32))
def test_mutation_of_any_space_moves_or_says_that_nothing_can(space, seed):
    rng = Random(seed)
    arch = sample(space, rng)
    choices = [path for path in arch if len(decisions(space)[path]) > 1]
    if choices:
        child = mutate(space, arch, rng, rate=0.0)
        decode(space, child)
        assert len(differing(arch, child)) == 1
    else:
        with pytest.raises(UserError, match="nothing to mutate"):
            mutate(space, arch, rng)


def test_mutation_changes_every_decision_equally_often():
    space = (OneOf(1), OneOf(1, 2), OneOf("x"), OneOf(1, 2, 3), OneOf(1, 2))
    arch, rng = Arch({"0": 0, "1": 0, "2": 0, "3": 0, "4": 0}), Random(2)
    changed = [differing(arch, mutate(space, arch, rng, rate=0.0)) for _ in range(3000)]
    counts = {path: changed.count({path}) for path in ("1", "3", "4")}
    assert sum(counts.values()) == 3000
    assert all(900 < count < 1100 for count in counts.values()), counts


@FEW
@given(SPACES, st.integers(0, 2**32))
def test_a_decision_that_stands_alone_is_changed_as_if_all_were_walked(space, seed):
    arch = sample(space, Random(seed))
    if not any(len(decisions(space)[path]) > 1 for path in arch):
        return
    walked, short = Random(seed + 1), Random(seed + 1)
    for _ in range(5):
        assert mutate(space, arch, short, 0.0, alone(space)) == mutate(space, arch, walked, 0.0)
        assert short.getstate() == walked.getstate()
    assert mutate(space, arch, short, 0.5, alone(space)) == mutate(space, arch, walked, 0.5)


@FEW
@given(SPACES, st.integers(0, 2**32))
def test_decisions_that_stand_alone_leave_the_rest_alive(space, seed):
    arch = sample(space, Random(seed))
    for path, n in alone(space).items():
        if path in arch:
            assert n == len(decisions(space)[path])
            for option in range(n):
                decode(space, arch.switched(path, option))


def test_what_stands_alone_is_told():
    found = alone(NESTED)
    assert found["stem"] == 2
    assert not any(path.endswith("count") or path in ("body.0", "extras") for path in found)
    kernels = [path for path in found if path.endswith(".kernel")]
    assert len(kernels) == 3, found
    assert alone(BOUNDED) == {}
    mixed = {"free": OneOf(1, 2), "bound": BOUNDED, "subset": ManyOf("abc", 1, 2), "own": Even(a=OneOf(1, 2), b=OneOf(1, 3))}
    assert alone(mixed) == {"free": 2, "subset": 6}
    assert alone(OneOf(Even(a=1, b=3), "x")) == {}, "an option that looks at itself"


def test_mutation_does_not_depend_on_how_an_architecture_was_written_down():
    arch = sample(NESTED, Random(3))
    turned = Arch({path: arch[path] for path in reversed(list(arch))})
    assert turned == arch
    assert [mutate(NESTED, arch, Random(seed)) for seed in range(20)] == [
        mutate(NESTED, turned, Random(seed)) for seed in range(20)
    ]


@FEW
@given(SPACES, st.integers(0, 2**32))
def test_redrawing_and_crossing_stay_inside(space, seed):
    rng = Random(seed)
    a, b = sample(space, rng), sample(space, rng)
    decode(space, redraw(space, a, rng, 0.5))
    assert redraw(space, a, rng, 0.0) == a
    child = crossover(space, a, b, rng)
    decode(space, child)
    for path, option in child.items():
        parents = {parent[path] for parent in (a, b) if path in parent}
        assert not parents or option in parents
    assert crossover(space, a, a, rng) == a


def test_crossing_keeps_the_rule():
    rng, archs = Random(4), list(enumerate_all(BOUNDED))
    for _ in range(200):
        assert crossover(BOUNDED, rng.choice(archs), rng.choice(archs), rng) in archs


@pytest.mark.parametrize("name", ALL)
def test_neighbours_differ_in_one_surviving_decision(name):
    space = ALL[name]
    archs = set(enumerate_all(space))
    for arch in sorted(archs, key=repr)[:100]:
        near = list(neighbours(space, arch))
        assert len(near) == len(set(near))
        for other in near:
            assert other in archs
            assert len(differing(arch, other)) == 1
            assert all(other[path] == 0 for path in other if path not in arch)


@FEW
@given(SPACES, st.integers(0, 2**32))
def test_there_is_one_neighbour_for_every_other_option(space, seed):
    arch = sample(space, Random(seed))
    assume(size(space) <= 2000)
    assert len(list(neighbours(space, arch))) == sum(len(decisions(space)[path]) - 1 for path in arch)


def test_a_rule_that_sampling_cannot_meet_is_named():
    never = Where(OneOf(1, 2), lambda value: False, "no value is good")
    with pytest.raises(UserError, match="'no value is good' is too narrow"):
        sample(never, Random(0))
    with pytest.raises(UserError, match="'no value is good' is too narrow"):
        sample_leaning(never, Random(0), 2.0)
    assert list(enumerate_all(never)) == []


@pytest.mark.parametrize(
    ("choices", "reason"),
    [
        ({}, "decision '0' is not settled by the architecture; give it one of 2 options"),
        ({"0": 2, "1": 0}, "decision '0': option 2 does not exist; there are 2"),
        ({"0": -1, "1": 0}, "decision '0': option -1 does not exist"),
        ({"0": 0, "1": 0, "1[Conv].kernel": 0}, "'1\\[Conv\\].kernel' is not one of this space's live decisions"),
    ],
)
def test_decoding_says_what_is_wrong(choices, reason):
    space = (OneOf("a", "b"), OneOf("skip", Conv(kernel=OneOf(3, 5))))
    with pytest.raises(UserError, match=reason):
        decode(space, choices)


def test_decoding_a_broken_rule_says_which():
    with pytest.raises(Invalid, match="the stem is no wider than the body"):
        decode(BOUNDED, {"stem": 2, "body.0": 0, "body.1": 0})
