"""What each searcher is known for."""

from collections import Counter
from random import Random

import numpy as np
import pytest

from common.errors import UserError
from common.objective import Objective, fronts, hypervolume
from common.search.aging_evolution import AgingEvolution
from common.search.base import Scores, Trial, Unseen
from common.search.driver import search
from common.search.nsga2 import NSGA2
from common.search.random import RandomSearch
from common.search.topk_evolution import TopKEvolution
from common.space import Arch, OneOf, decode, sample, sample_leaning
from tests.common.search.toys import BOTH, HIT, SPACES, evaluator

TWENTY = tuple(OneOf(*"abcd") for _ in range(20))
TARGET = sample(TWENTY, Random(3))


def hamming(archs, fidelity):
    return [Scores(values={"hit": -float(sum(TARGET[p] != i for p, i in arch.items()))}) for arch in archs]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_topk_evolution_finds_one_in_a_trillion_in_a_thousand(seed):
    searcher = TopKEvolution(TWENTY, [HIT], seed=seed)
    archives = []
    trials = search(searcher, hamming, budget=1000, batch=50, observe=lambda _: archives.append(searcher.archive))
    assert max(t.scores["hit"] for t in trials) == 0
    best = [archive[0].scores["hit"] for archive in archives if archive]
    assert best == sorted(best) and best[0] < best[-1]
    mine = sorted(trials[:950], key=lambda t: (-t.scores["hit"], t.id))[:10]
    assert list(searcher.archive) == mine, "the global top ten, not the last generation's"


def test_topk_generations_have_the_published_mix():
    trials = search(TopKEvolution(TWENTY, [HIT]), hamming, budget=200, batch=7)
    for start in range(0, 200, 50):
        origins = [t.origin for t in trials[start : start + 50]]
        assert origins == (["random"] * 50 if start == 0 else ["mutation"] * 20 + ["crossover"] * 20 + ["random"] * 10)
    for trial in trials[50:]:
        before = sorted(trials[: trial.id // 50 * 50], key=lambda t: (-t.scores["hit"], t.id))[:10]
        assert set(trial.parents) <= {t.id for t in before}
        if trial.origin == "crossover":
            a, b = (trials[p].arch for p in trial.parents)
            assert all(trial.arch[path] in (a[path], b[path]) for path in trial.arch)


def test_topk_mutation_redraws_one_gene_in_ten():
    def flat(archs, fidelity):
        return [Scores(values={"hit": 0.0}) for _ in archs]

    trials = search(TopKEvolution(TWENTY, [HIT], population=1000, mutants=900, crossovers=0), flat, budget=2000)
    mutants = [t for t in trials if t.origin == "mutation"]
    moved = [sum(trials[t.parents[0]].arch[p] != t.arch[p] for p in t.arch) for t in mutants]
    # each gene moves with 0.1 * 3/4; unchanged ones are duplicates, hence redrawn: 1.5 / (1 - 0.925 ** 20)
    assert len(mutants) == 900 and np.mean(moved) == pytest.approx(1.5 / (1 - 0.925**20), rel=0.1)


def test_topk_climbs_with_one_parent_and_one_child():
    trials = search(TopKEvolution(TWENTY, [HIT], population=1, mutants=1, crossovers=0, parents=1), hamming, budget=30)
    for trial in trials[1:]:
        assert trial.parents == (max(trials[: trial.id], key=lambda t: (t.scores["hit"], -t.id)).id,)


def test_topk_that_does_not_fit_is_refused():
    with pytest.raises(UserError, match="enlarge"):
        TopKEvolution(TWENTY, [HIT], population=10)


def leaning(seed: int, **settings) -> TopKEvolution:
    """An evolution that begins at the last options."""
    mix = {"population": 20, "mutants": 4, "crossovers": 4}
    return TopKEvolution(TWENTY, [HIT], seed=seed, first=lambda rng: sample_leaning(TWENTY, rng, 50.0), **mix, **settings)


def test_topk_draws_its_first_generation_as_it_is_told_and_later_ones_uniformly():
    trials = search(leaning(0), hamming, budget=100)
    level = [np.mean(list(t.arch.values())) for t in trials]
    assert {t.origin for t in trials[:20]} == {"random"} and not any(t.parents for t in trials[:20])
    # options 0, 1, 2, 3 with weights 1, 17 1/3, 33 2/3, 50
    assert np.mean(level[:20]) == pytest.approx((1 / 3 * 52 + 2 / 3 * 101 + 150) / 102, abs=0.1)
    later = [value for t, value in zip(trials, level) if t.id >= 20 and t.origin == "random"]
    assert len(later) == 48 and np.mean(later) == pytest.approx(1.5, abs=0.1)


def test_topk_with_a_first_generation_of_its_own_repeats_itself_in_any_batches_and_after_any_cut():
    whole = search(leaning(3), hamming, budget=50, batch=4)
    assert search(leaning(3), hamming, budget=50, batch=1) == whole == search(leaning(3), hamming, budget=50, batch=1000)
    assert search(leaning(4), hamming, budget=20) != whole[:20]
    for cut in (0, 1, 7, 19, 20, 21, 39, 43, 50):
        assert search(leaning(3), hamming, budget=50, batch=4, history=whole[:cut]) == whole, cut


def test_topk_fills_a_first_generation_up_where_what_is_drawn_is_known_or_infeasible():
    only, space = Arch({str(i): 3 for i in range(4)}), SPACES["flat"]

    def feasible(arch: Arch) -> bool:
        return arch["0"] != 0 or arch["1"] == 0

    mix = {"population": 30, "mutants": 4, "crossovers": 4, "feasible": feasible}
    trials = search(TopKEvolution(space, BOTH, first=lambda rng: only, **mix), evaluator(space), budget=30)
    assert trials[0].arch == only and len({t.arch for t in trials}) == 30 and all(feasible(t.arch) for t in trials)
    bad = TopKEvolution(space, BOTH, first=lambda rng: Arch({**only, "0": 0}), **mix)
    assert all(feasible(t.arch) for t in search(bad, evaluator(space), budget=30))


def test_aging_evolution_changes_one_gene_of_a_living_parent():
    trials = search(AgingEvolution(TWENTY, [HIT], population=20, tournament=5), hamming, budget=300)
    assert {t.origin for t in trials[:20]} == {"random"}
    for trial in trials[20:]:
        assert trial.origin == "mutation"
        (parent,) = trial.parents
        assert trial.id - 20 <= parent < trial.id, "older ones are dead"
        assert sum(trials[parent].arch[p] != trial.arch[p] for p in trial.arch) == 1
    assert np.mean([t.scores["hit"] for t in trials[-20:]]) > np.mean([t.scores["hit"] for t in trials[:20]]) + 5


def test_aging_evolution_s_parents_are_the_best_of_random_tournaments():
    """Of 20 alive and tournaments of 2, the best is the parent of one child in ten, one of the worse half of one in four."""
    trials = search(AgingEvolution(TWENTY, [HIT], population=20, tournament=2), hamming, budget=420)
    places = []
    for trial in trials[20:]:
        alive = sorted(trials[trial.id - 20 : trial.id], key=lambda t: (-t.scores["hit"], t.id))
        places.append([t.id for t in alive].index(trial.parents[0]))
    assert 15 <= places.count(0) <= 75 and 60 <= sum(place >= 10 for place in places) <= 150
    assert len(set(places)) >= 15


def test_aging_evolution_minimises_too():
    def size(archs, fidelity):
        return [Scores(values={"size": float(sum(arch.values()))}) for arch in archs]

    trials = search(AgingEvolution(TWENTY, [Objective("size", "min")], population=20, tournament=5), size, budget=400)
    assert trials[-1].scores["size"] < trials[0].scores["size"] - 10


def two(archs, fidelity):
    """The more a's agree with the target the better; every option above the first costs."""
    return [
        Scores(values={"hit": -float(sum(TARGET[p] != i for p, i in arch.items())), "size": float(sum(arch.values()))})
        for arch in archs
    ]


def front_volume(trials: list[Trial]) -> float:
    objectives = [HIT, Objective("size", "min")]
    return hypervolume([[t.value(o) for o in objectives] for t in trials], (-21.0, 61.0), objectives)


def test_nsga2_beats_random_search_on_two_objectives():
    both = [HIT, Objective("size", "min")]
    for seed in range(3):
        ours = search(NSGA2(TWENTY, both, seed=seed), two, budget=600)
        random = search(RandomSearch(TWENTY, both, seed=seed), two, budget=600)
        assert front_volume(ours) > 1.15 * front_volume(random)


def test_nsga2_survivors_are_the_first_fronts():
    both = [HIT, Objective("size", "min")]
    searcher = NSGA2(TWENTY, both, population=20)
    trials = search(searcher, two, budget=21)
    first = fronts([[t.value(o) for o in both] for t in trials[:20]], both)[0]
    assert [t.id for t in searcher.survivors[: len(first)]] != [] and {t.id for t in searcher.survivors} == set(range(20))
    trials = search(searcher := NSGA2(TWENTY, both, population=20), two, budget=41)
    points = np.array([[t.value(o) for o in both] for t in trials[:40]])
    kept = {t.id for t in searcher.survivors}
    filled = 0
    for front in fronts(points, both):  # whole fronts, then a part of one
        inside = len(kept & set(front))
        assert inside == min(len(front), 20 - filled)
        filled += inside


def test_nsga2_s_tournaments_go_by_front_and_then_by_crowding():
    """How often each survivor wins is what the order of survivors makes likely."""
    both = [HIT, Objective("size", "min")]
    searcher = NSGA2(TWENTY, both, population=20)
    search(searcher, two, budget=100)
    fitness = {member.trial.id: member.fitness for member in searcher._survivors}
    assert len({front for front, _ in fitness.values()}) < 10 < len(set(fitness.values())), "many differ in crowding alone"
    rng, rounds = Random(0), 4000
    won = Counter(searcher._tournament(rng).id for _ in range(rounds))
    for trial, mine in fitness.items():
        others = [theirs for other, theirs in fitness.items() if other != trial]
        expected = sum(theirs > mine for theirs in others) + sum(theirs == mine for theirs in others) / 2
        share = 2 * expected / (20 * 19)
        assert abs(won[trial] - rounds * share) <= 5 * (rounds * share * (1 - share)) ** 0.5 + 1


def test_nsga2_in_steady_state_keeps_the_best_of_everything():
    both = [HIT, Objective("size", "min")]
    searcher = NSGA2(TWENTY, both, population=20, children=1, redrawn=0.5)
    trials = search(searcher, two, budget=61)[:60]
    first = fronts([[t.value(o) for o in both] for t in trials], both)[0]
    kept = {t.id for t in searcher.survivors}
    assert len(kept) == 20 and (kept >= set(first) or kept < set(first))
    assert all(len(t.parents) in (1, 2) for t in trials[20:])


def test_nsga2_takes_a_population_of_two():
    trials = search(searcher := NSGA2(TWENTY, [HIT], population=2), hamming, budget=7)
    assert len(trials) == 7 and len(searcher.survivors) == 2


@pytest.mark.parametrize("wrong", [{"population": 1}, {"children": 0}, {"crossing": 1.1}, {"redrawn": -0.1}])
def test_nsga2_names_a_bad_setting(wrong):
    with pytest.raises(UserError, match=f"NSGA-II: .*{next(iter(wrong.values()))}"):
        NSGA2(TWENTY, [HIT], **wrong)


def test_unseen_prefers_draws_and_enumerates_at_the_end():
    unseen = Unseen(SPACES["where"])
    drawn = [unseen.sample(Random(i)) for i in range(40)]
    found = [arch for arch in drawn if arch is not None]
    assert len(found) == len(set(found)) == len(unseen) == 31
    assert all(sum(decode(SPACES["where"], arch)) <= 7 for arch in found)
    assert drawn[31:] == [None] * 9


def test_unseen_gives_up_politely_in_a_space_too_large_to_enumerate():
    only = sample(TWENTY, Random(0))
    unseen = Unseen(TWENTY, lambda arch: arch == only, "macs <= 1")
    unseen.add(only)
    assert unseen.sample(Random(1)) is None
