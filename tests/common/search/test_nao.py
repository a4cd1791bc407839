"""NAO: what a round is made of, and that climbing pays."""

from random import Random

import pytest

from common.errors import UserError
from common.predict.nao_model import NAOModel
from common.search.base import Scores
from common.search.driver import search
from common.search.nao import NAO
from common.search.random import RandomSearch
from common.space import OneOf, sample
from tests.common.search.toys import HIT, distance

TEN = tuple(OneOf(*"abcd") for _ in range(10))
TARGET = sample(TEN, Random(3))
TINY = NAOModel(TEN, embedding=8, hidden=8, widths=(), steps=20)


def hamming(archs, fidelity):
    return [Scores(values={"hit": -float(distance(arch, TARGET))}) for arch in archs]


def test_rounds_have_the_sizes_asked_for_and_climb_from_the_best():
    trials = search(NAO(TEN, [HIT], model=TINY, first=20, later=10, seeds=4), hamming, budget=55, batch=6)
    assert len({t.arch for t in trials}) == 55
    assert all(t.origin == "random" for t in trials[:20])
    climbed = [t for t in trials[20:] if t.origin == "ascent"]
    assert len(climbed) > 10
    for trial in climbed:
        before = trials[: 20 + (trial.id - 20) // 10 * 10]
        best = sorted(before, key=lambda t: (-t.scores["hit"], t.id))[:4]
        assert trial.parents[0] in {t.id for t in best}


def test_new_architectures_come_from_the_smallest_steps_that_bring_enough():
    searcher = NAO(TEN, [HIT], model=TINY, first=20, later=3, seeds=20)
    trials = search(searcher, hamming, budget=20)
    asked = searcher.ask(3)
    longer = NAO(TEN, [HIT], model=TINY, first=20, later=3, seeds=20, ascents=500)
    longer.tell(trials)
    assert longer.ask(3) == asked, "steps beyond those needed change nothing"


def test_what_the_steps_do_not_bring_is_random():
    trials = search(NAO(TEN, [HIT], model=TINY, first=10, later=10, seeds=1, ascents=1), hamming, budget=20)
    origins = [t.origin for t in trials[10:]]
    assert origins.count("ascent") <= 1 and origins.count("random") >= 9
    trials = search(NAO(TEN, [HIT], model=TINY, first=10, later=10, seeds=10, ascents=1), hamming, budget=20)
    assert "ascent" in [t.origin for t in trials[10:]], "one step is a step"


@pytest.mark.parametrize("seed", [0, 1])
def test_what_it_evaluates_is_better_than_random_by_far(seed):
    model = NAOModel(TEN, steps=60)
    trials = search(NAO(TEN, [HIT], model=model, first=40, later=20, seeds=20, seed=seed), hamming, budget=120)
    random = search(RandomSearch(TEN, [HIT], seed=seed), hamming, budget=120)
    mean = [sum(t.scores["hit"] for t in run[100:]) / 20 for run in (trials, random)]
    assert mean[0] > mean[1] + 1.5, "random architectures agree in 2.5 of 10 decisions"


def test_bad_settings_are_refused():
    with pytest.raises(UserError, match="all must be at least 1"):
        NAO(TEN, [HIT], model=TINY, later=0)
    with pytest.raises(UserError, match="its model is of another space"):
        NAO((OneOf(1, 2),), [HIT], model=TINY)
