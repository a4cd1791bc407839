"""A reward is a score beside the others; where it has no value the candidate has failed."""

import pytest

from common.evaluate.base import Scores
from common.evaluate.rewarded import Rewarded
from common.expression import parse
from common.space import Arch

ARCHS = [Arch({"a": i}) for i in range(3)]


def evaluated(archs, fidelity):
    lost = Scores(status="failed", error="no memory")
    made = (Scores(values={"q": 0.5}, seconds=2.0), Scores(values={"q": 0.0}), lost)
    return [made[arch["a"]] for arch in archs]


def test_the_value_of_the_expression_is_a_score_beside_the_others():
    rewarded = Rewarded(evaluated, parse("q * macs"), lambda arch: {"macs": 4 + arch["a"]})
    first, second, third = rewarded(ARCHS, "full")
    assert first.values == {"q": 0.5, "reward": 2.0} and first.seconds == 2.0
    assert second.values == {"q": 0.0, "reward": 0.0}
    assert third.status == "failed" and third.error == "no memory"


def test_a_candidate_without_a_reward_has_failed_and_the_others_go_on():
    first, second, _ = Rewarded(evaluated, parse("1 / q"), lambda arch: {})(ARCHS, "full")
    assert first.values["reward"] == pytest.approx(2.0)
    assert second.status == "failed" and "division by zero" in second.error
