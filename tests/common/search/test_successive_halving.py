"""Successive halving: rungs, who goes on, given candidates, failures."""

import itertools

import pytest

from common.errors import UserError
from common.objective import Objective
from common.search.base import Scores
from common.search.driver import search
from common.search.successive_halving import SuccessiveHalving
from common.space import OneOf, enumerate_all, sample
from common.streams import stream
from tests.common.search.toys import HIT, SPACES

SPACE = tuple(OneOf(0, 1, 2, 3) for _ in range(4))
RUNGS = ("0.25", "0.5", "full")


def halving(**settings) -> SuccessiveHalving:
    return SuccessiveHalving(SPACE, [Objective("hit")], **{"fidelities": RUNGS, "initial": 8, "eta": 2, **settings})


def value(arch, fidelity) -> float:
    """Better with every 3; the cheapest fidelity adds what a higher one does not."""
    return sum(arch.values()) + (0.5 * arch["0"] if fidelity == "0.25" else 0)


def evaluator(archs, fidelity):
    return [Scores(values={"hit": value(arch, fidelity)}) for arch in archs]


def test_the_better_part_of_a_rung_goes_on():
    searcher = halving()
    assert searcher.length == 8 + 4 + 2
    trials = search(searcher, evaluator, budget=14, batch=3)
    rungs = {fidelity: [t for t in trials if t.fidelity == fidelity] for fidelity in RUNGS}
    assert [len(rung) for rung in rungs.values()] == [8, 4, 2]
    for lower, upper in itertools.pairwise(RUNGS):
        ranked = sorted(rungs[lower], key=lambda t: (-t.scores["hit"], t.id))
        assert [t.arch for t in rungs[upper]] == [t.arch for t in ranked[: len(rungs[upper])]]
        assert all(trials[t.parents[0]].fidelity == lower and t.origin == "continued" for t in rungs[upper])
    best = searcher.best(trials)
    assert best in rungs["full"] and best.scores["hit"] == max(t.scores["hit"] for t in rungs["full"])


def test_scores_of_fidelities_are_never_compared():
    """The cheapest ones are the highest numbers here."""
    trials = search(halving(), evaluator, budget=14)
    assert max(trials, key=lambda t: t.scores["hit"]).fidelity == "0.25"
    assert halving().best(trials).fidelity == "full" and halving().best(trials[:8]).fidelity == "0.25"
    assert halving().best([]) is None


def test_brackets_follow_each_other_with_new_candidates():
    trials = search(halving(), evaluator, budget=28, batch=5)
    assert [t.fidelity for t in trials[14:22]] == ["0.25"] * 8
    assert not {t.arch for t in trials[:14]} & {t.arch for t in trials[14:]}


def test_given_candidates_come_first_in_their_order_and_once():
    rng = stream(0, "given")
    given = [sample(SPACE, rng) for _ in range(5)]
    trials = search(halving(first=[*given, given[0]]), evaluator, budget=14)
    assert [t.arch for t in trials[:5]] == given
    assert [t.origin for t in trials[:8]] == ["given"] * 5 + ["random"] * 3
    only = search(halving(first=given, feasible=lambda arch: arch != given[1]), evaluator, budget=8)
    assert [t.arch for t in only[:4]] == [given[0], *given[2:]]


def test_more_given_than_a_bracket_takes_wait_for_the_next():
    given = list(enumerate_all(SPACE))[:12]
    trials = search(halving(first=given), evaluator, budget=28)
    assert [t.arch for t in trials[:8]] == given[:8] and [t.arch for t in trials[14:18]] == given[8:]
    bred = search(halving(first=given, parents=2), evaluator, budget=28)
    assert [t.origin for t in bred[14:]] == ["given"] * 4 + ["mutation"] * 4 + ["continued"] * 6


def test_later_brackets_are_bred_from_the_best_at_the_dearest_fidelity():
    trials = search(halving(parents=2, rate=0.0), evaluator, budget=42)
    for start in (14, 28):
        full = sorted((t for t in trials[:start] if t.fidelity == "full"), key=lambda t: (-t.scores["hit"], t.id))[:2]
        for trial in trials[start : start + 8]:
            parent = trials[trial.parents[0]]
            assert trial.origin == "mutation" and parent.id in {t.id for t in full}
            assert sum(trial.arch[path] != parent.arch[path] for path in trial.arch) == 1
    assert all(t.origin == "random" for t in trials[:8])
    assert max(t.scores["hit"] for t in trials[28:] if t.fidelity == "full") > max(
        t.scores["hit"] for t in trials[:14] if t.fidelity == "full"
    )


def test_failed_candidates_do_not_go_on():
    def failing(archs, fidelity):
        return [Scores(status="failed", error="no") if arch["1"] else s for arch, s in zip(archs, evaluator(archs, fidelity))]

    trials = search(halving(), failing, budget=28)
    assert all(not t.arch["1"] for t in trials if t.origin == "continued") and any(t.status == "failed" for t in trials)
    nothing = search(halving(), lambda archs, _: [Scores(status="failed", error="no") for _ in archs], budget=20)
    assert {t.fidelity for t in nothing} == {"0.25"} and len(nothing) == 20


def test_a_history_at_other_fidelities_is_not_promoted():
    foreign = search(SuccessiveHalving(SPACES["flat"], [HIT], fidelities=("9",), initial=4), flat, budget=4)
    trials = search(SuccessiveHalving(SPACES["flat"], [HIT], fidelities=RUNGS, initial=4), flat, budget=20, history=foreign)
    assert not {t.arch for t in foreign} & {t.arch for t in trials[4:]}


def test_a_replay_goes_on_through_a_last_bracket_that_is_smaller():
    space = SPACES["where"]  # 31 architectures: brackets begin with 8, 8, 8 and 7

    def run(history=()):
        return search(SuccessiveHalving(space, [HIT], fidelities=RUNGS, initial=8), flat, budget=1000, history=history)

    whole = run()
    assert [t.fidelity for t in whole[42:]] == ["0.25"] * 7 + ["0.5"] * 4 + ["full"] * 2
    for cut in range(40, len(whole)):
        assert run(whole[:cut]) == whole, cut


def flat(archs, fidelity):
    return [Scores(values={"hit": float(sum(arch.values()))}) for arch in archs]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fidelities": ()}, "fidelities"),
        ({"fidelities": ("full", "full")}, "name one or more, each once"),
        ({"fidelities": ("",)}, "fidelities"),
        ({"initial": 0}, "initial candidates=0, eta=2"),
        ({"eta": 1}, "initial candidates=8, eta=1, .*: give 1 or more, 2 or more"),
        ({"parents": -1}, "parents=-1"),
        ({"rate": 1.5}, r"rate=1\.5: give"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(UserError, match=message):
        halving(**settings)
