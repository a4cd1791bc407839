"""A search through everything: its order, its length, and what it refuses."""

from collections import Counter

import pytest

from common.errors import UserError
from common.search import exhaustive
from common.search.exhaustive import Exhaustive
from common.space import Arch, OneOf, enumerate_all, size
from tests.common.search.toys import BOTH, SPACES

FLAT = SPACES["flat"]


def order(space, **settings) -> list[Arch]:
    searcher = Exhaustive(space, BOTH, **settings)
    proposals = searcher.ask(10_000)
    assert searcher.ask(1) == []
    return [proposal.arch for proposal in proposals]


@pytest.mark.parametrize("key", SPACES)
def test_all_is_proposed_at_once_in_an_order_that_the_seed_decides(key):
    space = SPACES[key]
    drawn = [order(space, seed=seed) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] and set(drawn[0]) == set(drawn[2]) == set(enumerate_all(space))
    if size(space) > 10:
        assert drawn[0] != drawn[2] and list(enumerate_all(space)) not in drawn


def test_the_first_few_are_a_fair_sample():
    """Every architecture comes first under about as many seeds as any other."""
    space = (OneOf("a", "b"), OneOf("a", "b", "c"))
    first = Counter(order(space, seed=seed)[0] for seed in range(600))
    assert len(first) == 6 and all(70 < n < 130 for n in first.values()), first


def test_its_length_is_the_number_of_feasible_architectures():
    def feasible(arch: Arch) -> bool:
        return sum(arch.values()) % 3 != 0

    kept = [arch for arch in enumerate_all(FLAT) if feasible(arch)]
    assert 0 < len(kept) < size(FLAT)
    searcher = Exhaustive(FLAT, BOTH, feasible=feasible)
    assert len(searcher) == len(kept)
    searcher.ask(7)
    assert len(searcher) == len(kept), "asking uses nothing up"
    assert len(Exhaustive(SPACES["where"], BOTH)) == 31
    assert len(Exhaustive(FLAT, BOTH, canonical=lambda arch: tuple(sorted(arch.values())))) == 35


def test_too_large_a_space_is_refused_before_it_is_gone_through(monkeypatch):
    def never(arch: Arch) -> bool:
        raise AssertionError("looked at an architecture")

    large = tuple(OneOf(*range(10)) for _ in range(6))
    message = "the space has 1,000,000 architectures: more than 100,000 are not gone through; search by evolution"
    with pytest.raises(UserError, match=message):
        Exhaustive(large, BOTH, feasible=never)
    monkeypatch.setattr(exhaustive, "MOST", size(FLAT))
    assert len(Exhaustive(FLAT, BOTH)) == size(FLAT)
    monkeypatch.setattr(exhaustive, "MOST", size(FLAT) - 1)
    with pytest.raises(UserError, match="the space has 256 architectures: more than 255"):
        Exhaustive(FLAT, BOTH)


@pytest.mark.parametrize(("rule", "named"), [("macs <= 3", "the constraint 'macs <= 3'"), ("", "the hard constraint")])
def test_a_constraint_that_nothing_keeps_is_refused_with_the_remedy(rule, named):
    with pytest.raises(UserError, match=f"^{named} is kept by no architecture of the space: loosen it$"):
        Exhaustive(FLAT, BOTH, feasible=lambda arch: False, rule=rule)
