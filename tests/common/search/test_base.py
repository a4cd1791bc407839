"""Trials, the record of seen architectures, and the order of trials."""

from random import Random
from typing import Any

import pytest

from common.errors import UserError
from common.objective import Objective
from common.search import base
from common.search.base import Searcher, SpaceSearcher, Trial, Unseen
from common.search.random import RandomSearch
from common.space import Arch, OneOf, Where, enumerate_all, sample, size
from tests.common.search.toys import BOTH, SPACES

FLAT = SPACES["flat"]  # four decisions of four options
EVERY = list(enumerate_all(FLAT))
LARGE = tuple(OneOf(*range(9)) for _ in range(9))


def none(arch: Arch) -> bool:
    """A constraint that no architecture satisfies."""
    return False


def unordered(arch: Arch) -> Any:
    """A canonical form: the order of the decisions does not matter."""
    return tuple(sorted(arch.values()))


def test_a_value_is_a_score_before_it_is_a_cost():
    trial = Trial(id=3, arch=EVERY[0], scores={"hit": 0.5, "ms": 2.0}, cost={"macs": 9, "ms": 4.0})
    assert [trial.value(Objective(name)) for name in ("hit", "ms", "macs")] == [0.5, 2.0, 9]
    with pytest.raises(UserError, match="trial 3 has no 'size', only hit, macs, ms: name an objective that is measured"):
        trial.value(Objective("size"))
    with pytest.raises(UserError, match="only nothing"):
        Trial(id=0, arch=EVERY[0], status="failed").value(Objective("hit"))


def test_take_marks_what_is_new_and_feasible_and_forget_undoes_it():
    unseen = Unseen(FLAT, lambda arch: arch["0"] > 0)
    good, bad = Arch({**EVERY[0], "0": 1}), EVERY[0]
    assert unseen.admits(good) and good not in unseen and len(unseen) == 0
    assert unseen.take(good) and good in unseen and not unseen.take(good)
    assert not unseen.take(bad) and bad not in unseen and len(unseen) == 1
    unseen.add(bad)  # a history may hold what is infeasible now
    assert bad in unseen and len(unseen) == 2
    unseen.forget(good)
    unseen.forget(good)
    assert good not in unseen and len(unseen) == 1 and unseen.take(good)


def test_equal_canonical_forms_are_one_architecture():
    unseen = Unseen(FLAT, canonical=unordered)
    a, b = (Arch({str(i): option for i, option in enumerate(options)}) for options in ((0, 1, 2, 3), (3, 2, 1, 0)))
    assert unseen.key(a) == (0, 1, 2, 3) and Unseen(FLAT).key(a) == a
    assert unseen.take(a) and b in unseen and not unseen.take(b)
    unseen.forget(b)
    assert a not in unseen
    rng = Random(0)
    found = [unordered(arch) for arch in (unseen.sample(rng) for _ in range(50)) if arch is not None]
    assert len(found) == len(set(found)) == 35, "multisets of 4 of 4 options"


@pytest.mark.parametrize("draws", [base.DRAWS, 0])
def test_sampling_visits_every_feasible_architecture_once_and_repeats_itself(draws, monkeypatch):
    monkeypatch.setattr(base, "DRAWS", draws)  # 0: everything comes from enumeration
    runs = []
    for _ in range(2):
        unseen, rng = Unseen(FLAT, lambda arch: sum(arch.values()) % 3 != 0), Random(5)
        runs.append([unseen.sample(rng) for _ in range(180)])
    assert runs[0] == runs[1]
    found = [arch for arch in runs[0] if arch is not None]
    assert len(found) == len(set(found)) and set(found) == {arch for arch in EVERY if sum(arch.values()) % 3 != 0}
    assert runs[0][len(found) :] == [None] * (180 - len(found))
    assert found != sorted(found, key=lambda arch: tuple(arch.values())), "at random, not in the order of enumeration"


def test_what_was_seen_or_forgotten_meanwhile_counts_when_a_space_is_nearly_exhausted():
    unseen, rng = Unseen(FLAT), Random(0)
    for arch in EVERY[5:]:
        unseen.add(arch)
    first = unseen.sample(rng)
    assert first in EVERY[:5]
    for arch in EVERY[:5]:
        unseen.add(arch)
    assert unseen.sample(rng) is None
    unseen.forget(EVERY[100])
    assert unseen.sample(rng) == EVERY[100]


def test_an_exhausted_space_is_sampled_no_more_than_draws_times(monkeypatch):
    unseen, calls = Unseen(FLAT), []
    for arch in EVERY[1:]:
        unseen.add(arch)
    monkeypatch.setattr(base, "sample", lambda space, rng: calls.append(1) or EVERY[1])
    assert unseen.sample(Random(0)) == EVERY[0] and len(calls) == base.DRAWS


def test_left_counts_up_to_a_limit_and_takes_nothing():
    unseen, rng = Unseen(FLAT), Random(0)
    for arch in EVERY[7:]:
        unseen.add(arch)
    assert [unseen.left(most, rng) for most in (0, 3, 7, 100)] == [0, 3, 7, 7]
    assert len(unseen) == len(EVERY) - 7 and unseen.left(1, Random(1)) == 1


def test_a_narrow_rule_is_met_by_enumeration_and_refused_in_a_large_space():
    def equal(value: Any) -> bool:
        return len(set(value)) == 1

    narrow = Where(tuple(OneOf(*range(8)) for _ in range(5)), equal, "all equal")
    with pytest.raises(UserError, match=(refused := "the rule .all equal. is too narrow for sampling")):
        sample(narrow, Random(0))  # 8 of 32,768
    unseen, rng = Unseen(narrow), Random(0)
    found = [unseen.sample(rng) for _ in range(size(narrow) + 1)]
    assert found[-1] is None and {tuple(arch.values()) for arch in found if arch} == {(i,) * 5 for i in range(8)}
    with pytest.raises(UserError, match=refused):
        Unseen(Where(LARGE, equal, "all equal")).sample(Random(0))


def test_nothing_feasible_is_an_error_that_names_the_rule(monkeypatch):
    with pytest.raises(UserError, match="the constraint 'macs <= 3' is kept by no architecture of the space: loosen it"):
        Unseen(FLAT, none, "macs <= 3").sample(Random(0))
    with pytest.raises(UserError, match="the hard constraint is kept by no architecture"):
        Unseen(FLAT, none).left(1, Random(0))
    monkeypatch.setattr(base, "MOST_DRAWS", 300)
    with pytest.raises(UserError, match="the constraint 'ms < 1' is kept by none of 300 random architectures: loosen it"):
        Unseen(LARGE, none, "ms < 1").sample(Random(0))
    for space in (FLAT, LARGE):  # after the first proposal the space is exhausted, not the rule impossible
        unseen = Unseen(space, none)
        unseen.add(sample(space, Random(0)))
        assert unseen.sample(Random(1)) is None


def trial(i: int, hit: float, macs: int) -> Trial:
    return Trial(id=i, arch=EVERY[i], scores={"hit": hit}, cost={"macs": macs})


@pytest.mark.parametrize(("objective", "order"), [(Objective("hit"), [2, 0, 1, 3]), (Objective("macs", "min"), [1, 3, 0, 2])])
def test_order_is_by_the_first_objective_then_by_age(objective, order):
    trials = [trial(3, 0.1, 2), trial(2, 0.9, 8), trial(1, 0.5, 2), trial(0, 0.5, 7)]
    searcher = SpaceSearcher(FLAT, (objective, Objective("hit", "min")))
    assert [t.id for t in sorted(trials, key=searcher.order)] == order
    with pytest.raises(UserError, match="nan"):
        SpaceSearcher(FLAT, BOTH).order(trial(4, float("nan"), 1))


def test_a_searcher_gives_its_record_all_that_it_was_given():
    unseen = SpaceSearcher(FLAT, BOTH, feasible=none, rule="macs <= 3", canonical=unordered).unseen()
    assert unseen == Unseen(FLAT, none, "macs <= 3", unordered) and len(unseen) == 0
    assert isinstance(RandomSearch(FLAT, BOTH), Searcher)
