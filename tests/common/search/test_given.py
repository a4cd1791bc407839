"""Given architectures are proposed once, in their order, without those that are known."""

from common.objective import Objective
from common.search.base import Scores, Trial
from common.search.driver import search
from common.search.given import Given
from common.space import Arch

ARCHS = [Arch({"a": i}) for i in (3, 1, 2, 1)]


def test_they_come_in_their_order_and_once():
    given = Given(ARCHS, [Objective("q")], origin="mine")
    first, rest = given.ask(2), given.ask(9)
    assert [p.arch for p in first + rest] == ARCHS[:3] and {p.origin for p in first + rest} == {"mine"}
    assert given.ask(1) == []


def test_a_history_is_not_proposed_again():
    def evaluator(archs, fidelity):
        return [Scores(values={"q": float(arch["a"])}) for arch in archs]

    history = [Trial(id=0, arch=ARCHS[1], scores={"q": 1.0})]
    trials = search(Given(ARCHS, [Objective("q")]), evaluator, budget=3, history=history)
    assert [trial.arch for trial in trials] == [ARCHS[1], ARCHS[0], ARCHS[2]]
