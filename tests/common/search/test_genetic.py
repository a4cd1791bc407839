"""The genetic algorithm: its roulette, its elite and its repair."""

from collections import Counter
from random import Random

import pytest

from common.engines import Genetic, Problem
from common.errors import UserError
from common.search.base import Scores
from common.search.driver import search
from common.search.genetic import GeneticAlgorithm, repaired
from common.space import Arch, OneOf, decode, enumerate_all, neighbours, sample
from tests.common.search.toys import HIT, SPACES

TWENTY = tuple(OneOf(*"abcd") for _ in range(20))
TARGET = sample(TWENTY, Random(3))
WIDTHS = tuple(OneOf(1, 2, 4, 8) for _ in range(3))


def hamming(archs, fidelity):
    return [Scores(values={"hit": -float(sum(TARGET[p] != i for p, i in arch.items()))}) for arch in archs]


def total(arch: Arch) -> int:
    return sum(decode(WIDTHS, arch))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_thousand_trials_bring_it_near_one_in_a_trillion(seed):
    trials = search(GeneticAlgorithm(TWENTY, [HIT], seed=seed, rate=0.05), hamming, budget=1000, batch=40)
    means = [sum(t.scores["hit"] for t in trials[i : i + 36]) / 36 for i in (4, 500, 960)]
    assert means == sorted(means) and means[-1] > -5, means
    assert max(t.scores["hit"] for t in trials) >= -2


def test_a_generation_is_the_elite_of_all_before_it_and_its_own_children():
    searcher = GeneticAlgorithm(TWENTY, [HIT], population=10, elite=3)
    trials = search(searcher, hamming, budget=31, batch=4)
    assert [trial.origin for trial in trials[:10]] == ["random"] * 10
    for start in (10, 17, 24):
        best = sorted(trials[: start - 7 if start > 10 else 0], key=lambda t: (-t.scores["hit"], t.id))[:3]
        own = trials[start - 7 : start] if start > 10 else trials[:10]
        members = searcher.members(start)
        assert [t.id for t in members] == [t.id for t in (*best, *own)]
        for child in trials[start : start + 7]:
            assert set(child.parents) <= {t.id for t in members}, "parents are members of the generation before"


def test_the_worst_member_has_no_children_and_a_member_three_times_better_has_three_times_as_many():
    scores = {"a": 0.0, "b": 1.0, "c": 3.0}
    space = (OneOf("a", "b", "c"), *(OneOf(*range(10)) for _ in range(6)))

    def of_first(archs, fidelity):
        return [Scores(values={"hit": scores[decode(space, arch)[0]]}) for arch in archs]

    searcher = GeneticAlgorithm(space, [HIT], population=600, elite=0, crossing=0.0, rate=0.3)
    trials = search(searcher, of_first, budget=1200)
    value = {trial.id: trial.scores["hit"] for trial in trials}
    members = Counter(value[i] for i in range(600))
    parents = Counter(value[trial.parents[0]] for trial in trials[600:] if trial.origin == "mutation")
    assert parents[0.0] == 0
    each = {score: parents[score] / members[score] for score in (1.0, 3.0)}
    assert each[3.0] / each[1.0] == pytest.approx(3, rel=0.35)


def test_equal_members_are_drawn_alike():
    def flat(archs, fidelity):
        return [Scores(values={"hit": 0.0}) for _ in archs]

    trials = search(GeneticAlgorithm(TWENTY, [HIT], population=20, elite=2), flat, budget=200)
    assert len({parent for trial in trials[20:38] for parent in trial.parents}) > 8


def test_repair_shrinks_the_most_expensive_gene_step_by_step():
    arch = Arch({"0": 3, "1": 2, "2": 0})  # widths 8, 4, 1
    limits = {12: (4, 4, 1), 8: (2, 4, 1), 7: (2, 4, 1), 6: (2, 2, 1), 3: (1, 1, 1)}
    for limit, wanted in limits.items():
        found = repaired(WIDTHS, arch, lambda arch, limit=limit: total(arch) - limit)
        assert decode(WIDTHS, found) == wanted, limit
    assert repaired(WIDTHS, arch, lambda arch: total(arch) - 13) is arch
    assert total(repaired(WIDTHS, arch, lambda arch: total(arch) - 2)) == 3, "what cannot be kept is not repaired any further"


def test_repair_works_in_spaces_with_conditions_subsets_and_rules():
    for name in ("nested", "subset", "where"):
        space = SPACES[name]

        def cost(arch: Arch) -> float:
            return sum(index + 1 for index in arch.values())

        least = min(map(cost, enumerate_all(space)))
        rng = Random(1)
        for _ in range(10):
            found = repaired(space, sample(space, rng), lambda arch, least=least: cost(arch) - least - 2)
            decode(space, found)
            assert cost(found) <= least + 2 or all(cost(found) <= cost(other) for other in neighbours(space, found))


def test_with_repair_a_budget_that_random_architectures_break_is_kept_by_every_candidate():
    def excess(arch: Arch) -> float:
        return total(arch) - 4

    def small(archs, fidelity):
        return [Scores(values={"hit": float(total(arch))}) for arch in archs]

    problem = Problem(
        space=WIDTHS,
        objectives=[HIT],
        baseline=Arch({"0": 0, "1": 0, "2": 0}),
        feasible=lambda arch: excess(arch) <= 0,
        excess=excess,
    )
    searcher = Genetic(population=4, elite=1).searcher(problem)
    trials = search(searcher, small, budget=4)
    assert len(trials) == 4 and all(total(trial.arch) <= 4 for trial in trials)
    assert isinstance(searcher, GeneticAlgorithm) and searcher.excess is excess
    without = Genetic(repair=False).searcher(problem)
    assert isinstance(without, GeneticAlgorithm) and without.excess is None


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"population": 4, "elite": 4}, "elite=4: it leaves no place for children in a population of 4"),
        ({"elite": -1}, "elite=-1"),
        ({"population": 0}, "population=0"),
        ({"rate": 1.5}, r"search\.engine\.rate is 1\.5; give a probability"),
        ({"crossing": -0.1}, r"search\.engine\.crossing is -0\.1"),
    ],
)
def test_settings_out_of_range_are_refused(settings, said):
    with pytest.raises(UserError, match=said):
        Genetic(**settings)


def test_searchers_out_of_range_are_refused():
    for settings, said in (
        ({"elite": 40}, "an elite of 40"),
        ({"rate": 2.0}, "rate is 2.0"),
        ({"crossing": -1.0}, "crossing is"),
    ):
        with pytest.raises(UserError, match=said):
            GeneticAlgorithm(TWENTY, [HIT], **settings)
