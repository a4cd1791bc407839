"""What every searcher promises, on every toy space."""

import pytest

from common.errors import UserError
from common.search.base import Trial
from common.search.driver import search
from common.space import OneOf, decode, enumerate_all, size
from tests.common.search.toys import SEARCHERS, SPACES, evaluator, small

CONTINUING = ("econas", "halving", "halving_bred")
"""Those that evaluate an architecture again at a higher fidelity."""

CASES = [(name, space) for name in SEARCHERS for space in SPACES]


def run(name, space, budget, **settings):
    return search(small(name, space, seed=settings.pop("seed", 0)), evaluator(space), budget=budget, **settings)


def new(trials):
    """The trials that are not those of an earlier architecture continued at its next fidelity; none is evaluated twice at one."""
    assert len({(t.arch, t.fidelity) for t in trials}) == len(trials)
    for trial in trials:
        if trial.origin == "continued":
            assert trial.arch == trials[trial.parents[0]].arch and trial.fidelity != trials[trial.parents[0]].fidelity
    found = [t for t in trials if t.origin != "continued"]
    assert len({t.arch for t in found}) == len(found)
    return found


@pytest.mark.parametrize(("name", "key"), CASES)
def test_a_budget_above_the_size_visits_all_once_and_says_so(name, key, caplog):
    space = SPACES[key]
    budget = 3 * size(space) + 5
    trials = run(name, space, budget, batch=7)
    assert {t.arch for t in new(trials)} == set(enumerate_all(space))
    assert name in CONTINUING or len(trials) == size(space)
    assert f"exhausted after {len(trials)} of {budget} trials" in caplog.text


@pytest.mark.parametrize(("name", "key"), CASES)
def test_batches_do_not_change_what_is_proposed(name, key):
    space = SPACES[key]
    one = run(name, space, 40)
    assert run(name, space, 40, batch=3) == one == run(name, space, 40, batch=1000)
    assert [t.id for t in one] == list(range(len(one)))


@pytest.mark.parametrize(("name", "key"), CASES)
def test_a_replay_goes_on_the_same_at_every_cut(name, key):
    space = SPACES[key]
    whole = run(name, space, 24, batch=4)  # into the third generation
    # every cut on the two spaces with rules and subsets, every third one, in and between batches, on the others
    for cut in range(0, len(whole) + 1, 1 if key in ("where", "subset") else 3):
        assert run(name, space, 24, batch=4, history=whole[:cut]) == whole, cut


@pytest.mark.parametrize("name", SEARCHERS)
def test_the_seed_matters(name):
    space = SPACES["flat"]
    assert [t.arch for t in run(name, space, 20, seed=1)] != [t.arch for t in run(name, space, 20, seed=2)]


@pytest.mark.parametrize("name", SEARCHERS)
@pytest.mark.parametrize("key", ["flat", "nested", "subset", "repeat", "where"])
def test_the_constraint_is_hard_and_all_that_keeps_it_is_found(name, key):
    space = SPACES[key]

    def feasible(arch):
        return sum(arch.values()) % 3 != 0

    trials = search(small(name, space, feasible=feasible), evaluator(space), budget=10_000, batch=5)
    assert {t.arch for t in new(trials)} == {arch for arch in enumerate_all(space) if feasible(arch)}


@pytest.mark.parametrize("name", SEARCHERS)
def test_an_impossible_constraint_is_named(name, monkeypatch):
    monkeypatch.setattr("common.search.base.MOST_DRAWS", 500)  # of 20,000
    with pytest.raises(UserError, match="'macs <= 3' is kept by no architecture"):
        small(name, SPACES["flat"], feasible=lambda arch: False, rule="macs <= 3").ask(1)
    large = "more than 100,000" if name == "exhaustive" else "the hard constraint is kept by none of 500 random"
    with pytest.raises(UserError, match=large):
        small(name, tuple(OneOf(*range(9)) for _ in range(9)), feasible=lambda arch: False).ask(1)


@pytest.mark.parametrize("name", SEARCHERS)
def test_pending_proposals_count_as_seen(name):
    space = SPACES["flat"]
    searcher = small(name, space)
    asked = [searcher.ask(3), searcher.ask(3), searcher.ask(1000)]
    archs = [p.arch for batch in asked for p in batch]
    assert len(set(archs)) == len(archs)
    assert searcher.ask(5) == [], "all is pending: the generation, or the whole space"


@pytest.mark.parametrize("name", SEARCHERS)
def test_parents_are_earlier_trials_that_did_not_fail(name):
    trials = run(name, SPACES["flat"], 120, batch=4)
    assert any(t.status == "failed" for t in trials)
    for trial in trials:
        assert all(p < trial.id and trials[p].status == "ok" for p in trial.parents)
        assert (trial.origin == "random") == (not trial.parents)


@pytest.mark.parametrize("name", SEARCHERS)
def test_a_search_where_everything_fails_ends(name):
    from common.search.base import Scores

    def broken(archs, fidelity):
        return [Scores(status="failed", error="no") for _ in archs]

    trials = search(small(name, SPACES["flat"]), broken, budget=60, batch=8)
    assert len(trials) == 60 and all(t.status == "failed" and t.origin == "random" for t in trials)


@pytest.mark.parametrize("name", SEARCHERS)
def test_a_history_from_elsewhere_is_never_proposed_again(name):
    space = SPACES["flat"]
    foreign = [Trial(id=i, arch=arch, scores={"hit": -1.0, "size": 0.0}) for i, arch in enumerate(enumerate_all(space)) if i < 37]
    trials = search(small(name, space), evaluator(space), budget=10_000, batch=4, history=foreign)
    assert len(new(trials)) == size(space)


@pytest.mark.parametrize(("name", "key"), CASES)
def test_every_proposal_decodes(name, key):
    space = SPACES[key]
    for trial in run(name, space, 30):
        decode(space, trial.arch)


@pytest.mark.parametrize("name", SEARCHERS)
def test_architectures_that_count_as_one_are_proposed_once(name):
    """Isomorphic ones, say: here the order of the four decisions does not matter."""
    space = SPACES["flat"]

    def canonical(arch):
        return tuple(sorted(arch.values()))

    trials = search(small(name, space, canonical=canonical), evaluator(space), budget=10_000, batch=4)
    assert len(new(trials)) == 35  # multisets of 4 out of 4 options
    assert len({canonical(t.arch) for t in new(trials)}) == 35
    again = search(small(name, space, canonical=canonical), evaluator(space), budget=10_000, batch=4, history=trials[:17])
    assert again == trials
