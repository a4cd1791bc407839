"""Local search: climbs, optima, restarts."""

from random import Random
from time import perf_counter

import pytest

from common.errors import UserError
from common.objective import Objective
from common.search.base import Scores
from common.search.driver import search
from common.search.local_search import LocalSearch
from common.space import OneOf, decode, neighbours, sample, size
from tests.common.search.toys import BOTH, HIT, SPACES, evaluator

TWENTY = tuple(OneOf(*"abcd") for _ in range(20))
TARGET = sample(TWENTY, Random(3))


def hamming(archs, fidelity):
    return [Scores(values={"hit": -float(sum(TARGET[p] != i for p, i in arch.items()))}) for arch in archs]


def trap(archs, fidelity):
    """Bits of three: 000 is best, 111 a local optimum, and every other one looks towards 111."""
    return [Scores(values={"hit": 9.0 if sum(a.values()) == 0 else float(sum(a.values()))}) for a in archs]


def climbs(trials):
    """The trials of every climb: a random start begins one."""
    found = []
    for trial in trials:
        if trial.origin == "random":
            found.append([])
        found[-1].append(trial)
    return found


def differ(a, b):
    return sum(a.get(path) != b.get(path) for path in {*a, *b})


@pytest.mark.parametrize("seed", range(5))
def test_a_unimodal_score_is_climbed_without_a_restart(seed):
    trials = search(LocalSearch(TWENTY, [HIT], seed=seed), hamming, budget=400)
    assert max(t.scores["hit"] for t in trials) == 0
    (climb, *_) = climbs(trials)
    at = climb[0]
    for trial in climb[1:]:
        assert trial.parents == (at.id,) and differ(trial.arch, at.arch) == 1 and trial.origin == "neighbour"
        if trial.scores["hit"] > at.scores["hit"]:
            at = trial
    assert at.scores["hit"] == 0, "it ends at the optimum, not before"


def test_the_best_of_all_neighbours_is_moved_to():
    searcher = LocalSearch(TWENTY, [HIT], move="best", children=7)
    weights = {path: 1.5**i for i, path in enumerate(TARGET)}

    def weighted(archs, fidelity):
        return [Scores(values={"hit": -sum(weights[p] for p, i in a.items() if TARGET[p] != i)}) for a in archs]

    (climb, *_) = climbs(search(searcher, weighted, budget=1200))
    at, seen = climb[0], {climb[0].arch}
    position = 1
    while position < len(climb):
        unseen = [arch for arch in neighbours(TWENTY, at.arch) if arch not in seen]
        around = climb[position : position + len(unseen)]
        assert all(t.parents == (at.id,) for t in around)
        if len(around) < len(unseen):
            break  # the budget ended
        assert {t.arch for t in around} == set(unseen)
        seen |= set(unseen)
        position += len(unseen)
        best = max(around, key=lambda t: t.scores["hit"], default=at)
        if best.scores["hit"] <= at.scores["hit"]:
            assert position == len(climb)
            break
        at = best
    assert at.scores["hit"] == 0 and position > 100


@pytest.mark.parametrize("move", ["first", "best"])
def test_an_optimum_is_left_after_all_its_neighbours_and_by_a_new_start(move):
    space = tuple(OneOf(0, 1) for _ in range(6))
    trials = search(LocalSearch(space, [HIT], seed=1, move=move), trap, budget=64)
    assert len({t.arch for t in trials}) == 64
    seen = set()
    found = climbs(trials)
    assert len(found) > 1
    for climb in found[:-1]:
        seen |= {t.arch for t in climb}
        top = max(climb, key=lambda t: (t.scores["hit"], -t.id))
        assert set(neighbours(space, top.arch)) <= seen, "a climb ends where nothing around is unseen"


def test_equal_scores_are_not_moved_to():
    trials = search(LocalSearch(TWENTY, [HIT]), lambda archs, _: [Scores(values={"hit": 0.0}) for _ in archs], budget=150)
    assert [len(climb) for climb in climbs(trials)][:2] == [61, 61]


def test_order_of_neighbours_is_the_streams():
    def firsts(seed):
        (climb, *_) = climbs(search(LocalSearch(TWENTY, [HIT], seed=seed), trap_free, budget=61))
        return [next(p for p in t.arch if t.arch[p] != climb[0].arch[p]) for t in climb[1:]]

    def trap_free(archs, fidelity):
        return [Scores(values={"hit": 0.0}) for _ in archs]

    assert firsts(0) != firsts(1)
    assert firsts(0) != sorted(firsts(0))


def test_a_climb_begins_with_the_best_of_its_starts():
    trials = search(LocalSearch(TWENTY, [HIT], starts=10), hamming, budget=60)
    assert [t.origin for t in trials[:11]] == ["random"] * 10 + ["neighbour"]
    best = max(trials[:10], key=lambda t: t.scores["hit"])
    assert trials[10].parents == (best.id,)


def test_children_are_neighbours_of_one_and_the_best_of_them_is_moved_to():
    trials = search(LocalSearch(TWENTY, [HIT], children=5), hamming, budget=101, batch=2)
    at = trials[0]
    for start in range(1, 101, 5):
        if trials[start].origin == "random":
            break
        around = trials[start : start + 5]
        assert all(t.parents == (at.id,) for t in around)
        best = max(around, key=lambda t: (t.scores["hit"], -t.id))
        at = best if best.scores["hit"] > at.scores["hit"] else at


def test_decisions_that_come_alive_are_drawn():
    deep = tuple(OneOf("off", OneOf(*range(4))) for _ in range(40))
    trials = search(LocalSearch(deep, [HIT], seed=2), lambda archs, _: [Scores(values={"hit": 0.0}) for _ in archs], budget=90)
    start = trials[0].arch
    woken = [t.arch[path] for t in trials if t.origin == "neighbour" for path in t.arch if path not in start]
    assert set(woken) == set(range(4)), "not the first option every time"
    for trial in trials:
        decode(deep, trial.arch)


def test_failed_neighbours_and_starts_are_tolerated():
    def fragile(archs, fidelity):
        return [
            Scores(status="failed", error="no") if int(a.fingerprint, 16) % 2 else s for a, s in zip(archs, hamming(archs, ""))
        ]

    trials = search(LocalSearch(TWENTY, [HIT]), fragile, budget=300)
    assert all(trials[p].status == "ok" for t in trials for p in t.parents)
    assert max(t.scores["hit"] for t in trials if t.status == "ok") >= -5


def test_minimisation():
    def loss(archs, fidelity):
        return [Scores(values={"size": -s.values["hit"]}) for s in hamming(archs, fidelity)]

    trials = search(LocalSearch(TWENTY, [Objective("size", "min")]), loss, budget=400)
    assert min(t.scores["size"] for t in trials) == 0


def test_a_trial_of_a_huge_space_costs_no_whole_neighbourhood():
    wide = tuple(OneOf(*range(50)) for _ in range(400))  # 19,600 neighbours, each a walk over 400 decisions
    assert size(wide) == 50**400

    def total(archs, fidelity):
        return [Scores(values={"hit": float(sum(arch.values()))}) for arch in archs]

    began = perf_counter()
    trials = search(LocalSearch(wide, [HIT]), total, budget=60)
    assert perf_counter() - began < 5  # the whole neighbourhood of each would be ten thousand walks a move
    assert len(trials) == 60 and trials[-1].origin == "neighbour"


@pytest.mark.parametrize("move", ["first", "best"])
@pytest.mark.parametrize("key", ["nested", "where"])
def test_a_replay_goes_on_through_optima_and_restarts(move, key):
    space = SPACES[key]

    def run(history=()):
        searcher = LocalSearch(space, BOTH, move=move, children=2, seed=5)
        return search(searcher, evaluator(space), budget=10_000, batch=3, history=history)

    whole = run()
    assert len(whole) == size(space) and len(climbs(whole)) > 2
    for cut in range(0, len(whole), 5):
        assert run(whole[:cut]) == whole, cut


def test_bad_settings_are_refused():
    with pytest.raises(UserError, match="move 'last' is unknown: choose first or best"):
        LocalSearch(TWENTY, [HIT], move="last")  # pyright: ignore[reportArgumentType]
    with pytest.raises(UserError, match="0 children"):
        LocalSearch(TWENTY, [HIT], children=0)
    with pytest.raises(UserError, match="0 starts"):
        LocalSearch(TWENTY, [HIT], starts=0)
