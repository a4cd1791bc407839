"""Conditions of decisions, against the architectures that the space itself enumerates."""

from typing import Any

import pytest

from common.cost.conditions import ABSENT, Condition, assignments, conditions_of, valid, with_options
from common.errors import UserError
from common.space import Arch, ManyOf, OneOf, Repeat, Where, decisions, decode, enumerate_all
from tests.common.search.toys import SPACES

DEEP = OneOf({"x": OneOf(1, {"y": OneOf(2, 3)})}, {"z": ManyOf((OneOf(4, 5), 6), 1, 1)}, None)
"""Decisions in options of decisions, three levels of them."""

FREE: dict[str, Any] = {key: SPACES[key] for key in ("flat", "nested", "subset", "repeat", "single")} | {"deep": DEEP}
"""Spaces without a rule."""


def exists(path: str, taken: dict[str, int], conditions: dict[str, Condition | None]) -> bool:
    """Whether an architecture with the options `taken` has the decision, by its condition alone."""
    condition = conditions[path]
    return condition is None or taken.get(condition[0], ABSENT) in condition[1]


def test_conditions_of():
    space = {"a": OneOf(1, {"b": OneOf(1, 2)}), "m": ManyOf((OneOf(1, 2), 3), 1, 1), "r": Repeat(OneOf(1, 2), OneOf(1, 2))}
    conditions = conditions_of(space)
    assert conditions["a"] is None and conditions["r.count"] is None and conditions["r.0"] is None
    assert conditions["r.1"] == ("r.count", frozenset({1}))
    inner = next(path for path in conditions if path.endswith(".b"))
    assert conditions[inner] == ("a", frozenset({1}))
    found = [tuple(taken.values()) for taken in assignments([inner], dict.fromkeys(conditions, 2), conditions)]
    assert found == [(0, ABSENT), (1, 0), (1, 1)]


def test_a_member_of_every_subset_has_the_condition_of_its_subset():
    always = ManyOf((OneOf(1, 2), OneOf(3, 4)), 2, 2)
    free, inside = conditions_of((always,)), conditions_of((OneOf(0, always),))
    assert list(free.values()) == [None, None, None]
    outer, *rest = inside.values()
    assert outer is None and rest == [("0", frozenset({1}))] * 3
    some = conditions_of((ManyOf((OneOf(1, 2), 3), 1, 2),))  # the subsets: the first, the second, both
    assert list(some.values()) == [None, ("0", frozenset({0, 2}))]


def test_copies_that_every_count_has_are_unconditional_and_a_rule_changes_nothing():
    assert conditions_of((Repeat(OneOf(1, 2), 2),)) == {"0.0": None, "0.1": None}
    counted = conditions_of((Repeat(OneOf(1, 2), OneOf(2, 1, 3)),))
    assert counted["0.1"] == ("0.count", frozenset({0, 2})) and counted["0.2"] == ("0.count", frozenset({2}))
    assert conditions_of([Where(OneOf(1, 2), lambda value: value == 1, "only 1")]) == {"0": None}


@pytest.mark.parametrize("key", [*FREE, "where"])
def test_an_architecture_has_just_the_decisions_whose_conditions_hold(key):
    space = FREE.get(key, SPACES.get(key))
    conditions = conditions_of(space)
    assert set(conditions) == set(decisions(space))
    met: set[str] = set()
    for path, condition in conditions.items():
        assert condition is None or condition[0] in met, "parents come first"
        met.add(path)
    for arch in enumerate_all(space):
        assert {path for path in conditions if exists(path, dict(arch), conditions)} == set(arch)


@pytest.mark.parametrize("key", FREE)
def test_the_assignments_of_all_decisions_are_the_architectures(key):
    space = FREE[key]
    conditions, sizes = conditions_of(space), {path: len(decision) for path, decision in decisions(space).items()}
    found = list(assignments(list(sizes), sizes, conditions))
    assert all(list(taken) == list(conditions) for taken in found)
    archs = [Arch({path: option for path, option in taken.items() if option != ABSENT}) for taken in found]
    assert len(archs) == len(set(archs)) and set(archs) == set(enumerate_all(space))


def test_assignments_take_the_parents_along_and_nothing_else():
    conditions = conditions_of((DEEP, OneOf(1, 2)))
    sizes = {path: len(decision) for path, decision in decisions((DEEP, OneOf(1, 2))).items()}
    inner = next(path for path in conditions if path.endswith(".y"))
    middle = conditions[inner]
    assert middle is not None
    found = list(assignments([inner], sizes, conditions))
    assert [list(taken) for taken in found] == [["0", middle[0], inner]] * 5
    assert [tuple(taken.values()) for taken in found] == [
        (0, 0, ABSENT),
        (0, 1, 0),
        (0, 1, 1),
        (1, ABSENT, ABSENT),
        (2, ABSENT, ABSENT),
    ]


def test_with_options_takes_first_options_elsewhere():
    space = (OneOf(1, 2), OneOf(3, 4, {"b": OneOf(5, 6)}))
    assert with_options(space, {}) == Arch({"0": 0, "1": 0})
    inner = next(path for path in decisions(space) if path.endswith(".b"))
    assert with_options(space, {"1": 2, inner: 1}) == Arch({"0": 0, "1": 2, inner: 1})
    assert with_options(space, {"0": 1, inner: 1}) == Arch({"0": 1, "1": 0}), "the architecture has no inner decision"
    assert with_options(space, {"0": ABSENT}) == Arch({"0": 0, "1": 0})


def test_a_rule_refuses_options_and_descriptions():
    space = Where((OneOf(1, 2), OneOf(1, 2)), lambda value: sum(value) == 3, "the sum is three")
    assert with_options(space, {}) is None
    arch = with_options(space, {"1": 1})
    assert arch is not None and decode(space, arch) == (1, 2)
    assert valid(space, arch) and not valid(space, {"0": 1, "1": 1})
    with pytest.raises(UserError, match="'1'"):
        valid(space, {"0": 0})
