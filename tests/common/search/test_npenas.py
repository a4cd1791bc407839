"""NPENAS: what is a candidate, what is chosen, and that the choice pays."""

from dataclasses import dataclass, field
from random import Random
from typing import Any

import numpy as np
import pytest

from common.errors import UserError
from common.objective import Objective
from common.predict.base import Prediction
from common.search.base import Scores, Trial
from common.search.driver import search
from common.search.npenas import NPENAS
from common.search.random import RandomSearch
from common.space import OneOf, sample
from tests.common.search.toys import HIT, Nearest, distance

TEN = tuple(OneOf(*"abcd") for _ in range(10))
TARGET = sample(TEN, Random(3))
MANY = (OneOf(*range(3000)),)


def hamming(archs, fidelity):
    return [Scores(values={"hit": -float(distance(arch, TARGET))}) for arch in archs]


def number(archs, fidelity):
    return [Scores(values={"hit": float(arch["0"])}) for arch in archs]


@dataclass
class Spy:
    """Predicts the smallest option number, of which it likes small ones, and keeps what it was asked."""

    std: float = 0.0
    fits: list = field(default_factory=list)
    pools: list = field(default_factory=list)

    def fit(self, archs, scores, seed):
        self.fits.append((list(archs), list(scores), seed))

        def predict(archs):
            self.pools.append(list(archs))
            return Prediction(np.array([float(min(a.values())) for a in archs]), np.full(len(archs), self.std))

        return predict


def test_the_budget_is_exact_and_the_generations_have_the_published_sizes():
    spy = Spy()
    trials = search(NPENAS(TEN, [HIT], predictor=spy), hamming, budget=107, batch=4)
    assert len(trials) == len({t.arch for t in trials}) == 107
    assert [len(archs) for archs, _, _ in spy.fits] == list(range(10, 107, 10))
    assert all(t.origin == "random" for t in trials[:10]) and all(t.origin == "mutation" for t in trials[10:])


def test_candidates_are_a_hundred_unseen_feasible_mutants_of_the_best_and_the_best_of_them_are_taken():
    def canonical(arch):
        return tuple(sorted(arch.values()))

    def feasible(arch):
        return arch["0"] != 3

    spy = Spy()
    searcher = NPENAS(TEN, [HIT], predictor=spy, feasible=feasible, canonical=canonical, candidates=40)
    trials = search(searcher, hamming, budget=60)
    assert len(spy.pools) == 5
    for g, pool in enumerate(spy.pools):
        before = trials[: 10 + 10 * g]
        chosen = trials[len(before) : len(before) + 10]
        keys = [canonical(arch) for arch in pool]
        assert len(pool) == 40 and len(set(keys)) == 40, "distinct"
        assert not set(keys) & {canonical(t.arch) for t in before}, "unseen"
        assert all(feasible(arch) for arch in pool)
        best = sorted(before, key=lambda t: (-t.scores["hit"], t.id))[:10]
        for trial in chosen:
            if trial.origin == "mutation":
                assert trial.parents[0] in {t.id for t in best} and distance(trial.arch, trials[trial.parents[0]].arch) == 1
        ranked = sorted(range(40), key=lambda i: (min(pool[i].values()), i))[:10]
        assert [t.arch for t in chosen] == [pool[i] for i in ranked]


def test_candidates_that_were_not_chosen_may_come_again():
    spy = Spy()
    search(NPENAS(TEN, [HIT], predictor=spy), hamming, budget=60)
    assert any(set(a) & set(b) for a, b in zip(spy.pools, spy.pools[1:], strict=False))


def test_the_predictor_sees_losses_of_good_trials_and_a_new_seed_each_time():
    def sometimes(archs, fidelity):
        return [Scores(status="failed", error="no") if arch["1"] == 0 else hamming([arch], "")[0] for arch in archs]

    spy = Spy()
    trials = search(NPENAS(TEN, [HIT], predictor=spy), sometimes, budget=40)
    archs, losses, _ = spy.fits[-1]
    good = [t for t in trials[:30] if t.status == "ok"]
    assert 0 < len(good) < 30
    assert archs == [t.arch for t in good] and losses == [-t.scores["hit"] for t in good]
    assert len({seed for _, _, seed in spy.fits}) == len(spy.fits)
    search(NPENAS(TEN, [Objective("hit", "min")], predictor=spy), hamming, budget=20)
    assert min(spy.fits[-1][1]) < 0, "a metric that is minimised is its own loss"


def test_every_parent_has_several_mutants():
    trials = search(NPENAS(TEN, [HIT], predictor=Spy(), later=100), hamming, budget=110)
    parents = [t.parents[0] for t in trials[10:]]
    assert {parents.count(p) for p in range(10)} <= set(range(6, 15)) and len(set(parents)) == 10


@pytest.mark.parametrize("settings", [{}, {"acquisition": "thompson"}, {"rate": 0.2}])
def test_it_beats_random_search_on_every_seed(settings):
    for seed in range(4):
        ours = search(NPENAS(TEN, [HIT], predictor=Nearest(), seed=seed, **settings), hamming, budget=150)
        theirs = search(RandomSearch(TEN, [HIT], seed=seed), hamming, budget=150)
        assert max(t.scores["hit"] for t in ours) > max(t.scores["hit"] for t in theirs)


def test_a_predictor_that_knows_finds_the_best_of_thousands_of_unrelated_options():
    class Knowing:
        def fit(self, archs, scores, seed):
            return lambda archs: Prediction(-np.array([float(a["0"]) for a in archs]), np.zeros(len(archs)))

    spy = Spy()
    trials = search(NPENAS(MANY, [HIT], predictor=spy, candidates=500), number, budget=20)
    assert len(set(spy.pools[0])) == 500 and len(trials) == 20
    trials = search(NPENAS(MANY, [HIT], predictor=Knowing(), candidates=500, first=10), number, budget=60)
    assert np.mean([t.scores["hit"] for t in trials[10:]]) > 2900, "the top 10 of 500 are in the top 60 or so of 3000"


def test_thompson_draws_depend_on_the_uncertainty():
    def run(**settings):
        return [t.arch for t in search(NPENAS(TEN, [HIT], **settings), hamming, budget=40)]

    assert run(predictor=Spy(), acquisition="thompson") == run(predictor=Spy())
    assert run(predictor=Spy(std=1.0), acquisition="thompson") != run(predictor=Spy(std=1.0))


def test_bad_settings_and_bad_predictions_are_refused():
    wrong: list[dict[str, Any]] = [{"first": 0}, {"candidates": 5}, {"rate": 1.5}, {"parents": 0}]
    for settings in wrong:
        with pytest.raises(UserError, match=r"NPENAS: .* needs counts >= 1, candidates >= later"):
            NPENAS(TEN, [HIT], predictor=Spy(), **settings)
    with pytest.raises(UserError, match="'ucb' is unknown: use 'mean' or 'thompson'"):
        NPENAS(TEN, [HIT], predictor=Spy(), acquisition="ucb")  # pyright: ignore[reportArgumentType]

    class Broken:
        def fit(self, archs, scores, seed):
            return lambda archs: Prediction(np.full(len(archs), np.nan), np.zeros(len(archs)))

    searcher = NPENAS(TEN, [HIT], predictor=Broken())
    searcher.tell([Trial(id=i, arch=sample(TEN, Random(i)), scores={"hit": float(i)}) for i in range(10)])
    with pytest.raises(UserError, match="Broken does not predict 100 numbers"):
        searcher.ask(1)
