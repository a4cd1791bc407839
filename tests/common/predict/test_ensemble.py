"""Ensembles of members that remember what they were fitted on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from scipy.stats import spearmanr

from common.errors import UserError
from common.predict.base import Prediction
from common.predict.ensemble import Ensemble
from common.space import Arch
from tests.common.predict.test_neural import GIN_, MLP_, TEST, drawn, score


@dataclass(frozen=True)
class Constant:
    """Predicts the mean of the scores fitted."""

    std: float = 0.0
    seen: list[tuple[list[float], int]] = field(default_factory=list)

    def fit(self, archs: Sequence[Arch], scores: Sequence[float], seed: int):
        self.seen.append((list(scores), seed))
        mean = float(np.mean(scores))
        return lambda archs: Prediction(np.full(len(archs), mean), np.full(len(archs), self.std))


@pytest.mark.parametrize("count", [10, 13, 50])
def test_five_members_leave_out_a_fold_each(count: int):
    member = Constant()
    Ensemble(member).fit(drawn(count, "train"), [float(i) for i in range(count)], 0)
    assert len({seed for _, seed in member.seen}) == 5
    taken = [set(scores) for scores, _ in member.seen]
    assert [len(each) for each in taken] == [round(0.8 * count)] * 5
    left_out = [sum(i not in each for each in taken) for i in range(count)]
    if count % 5 == 0:
        assert left_out == [1] * count
    else:
        assert max(left_out) - min(left_out) <= 1


def test_other_shares_leave_out_every_point_as_often():
    member = Constant()
    Ensemble(member, 4, 0.5).fit(drawn(20, "train"), [float(i) for i in range(20)], 0)
    assert [sum(i not in set(scores) for scores, _ in member.seen) for i in range(20)] == [2] * 20
    two = Constant()
    Ensemble(two, 3, 0.1).fit(drawn(2, "train"), [1.0, 2.0], 0)
    assert [sorted(scores) for scores, _ in two.seen] == [[1.0, 2.0]] * 3  # never fewer than two points


def test_mean_and_spread_are_over_members():
    member = Constant(std=0.3)
    predicted = Ensemble(member).fit(drawn(10, "train"), [float(i) for i in range(10)], 0)(TEST[:4])
    means = [np.mean(scores) for scores, _ in member.seen]
    np.testing.assert_allclose(predicted.mean, [np.mean(means)] * 4)
    np.testing.assert_allclose(predicted.std, [np.sqrt(np.var(means) + 0.09)] * 4)


@pytest.mark.parametrize("member", [MLP_, GIN_], ids=["mlp", "gin"])
def test_spread_tells_where_it_is_wrong_and_mean_is_no_worse(member):
    train = drawn(40, "train")
    scores, true = [score(a) for a in train], np.array([score(a) for a in TEST])
    predicted = Ensemble(member).fit(train, scores, 0)(TEST)
    alone = [spearmanr(member.fit(train, scores, seed)(TEST).mean, true)[0] for seed in range(3)]
    assert spearmanr(predicted.mean, true)[0] > np.mean(alone) - 0.02
    assert (predicted.std > 0).all()
    known = Ensemble(member).fit(train, scores, 0)(train)
    assert known.std.mean() < predicted.std.mean()  # surer of what was fitted


def test_a_fit_is_a_function_of_its_arguments():
    train = drawn(12, "train")
    scores = [score(a) for a in train]
    made = [Ensemble(MLP_, 2).fit(train, scores, seed)(TEST[:5]) for seed in (0, 0, 1)]
    assert made[0].mean.tobytes() == made[1].mean.tobytes()
    assert not np.array_equal(made[0].mean, made[2].mean)


def test_bad_input_is_refused():
    with pytest.raises(UserError, match="members is 0"):
        Ensemble(MLP_, 0)
    with pytest.raises(UserError, match="share is 0"):
        Ensemble(MLP_, share=0)
    with pytest.raises(UserError, match="at least 2"):
        Ensemble(MLP_).fit(drawn(1, "train"), [1.0], 0)
    equal = Ensemble(MLP_).fit(drawn(6, "train"), [3.0] * 6, 0)(TEST[:3])
    assert (equal.mean == 3).all() and (equal.std == 0).all()
