"""The recurrent predictor of PNAS."""

from random import Random

import numpy as np
import pytest
import torch

from common.errors import UserError
from common.predict.lstm import LSTM, decision_tokens
from common.search.pnas_space import Cells
from common.space import OneOf, sample

CELLS = Cells(3)
SMALL = LSTM(CELLS.tokens, CELLS.vocabulary, hidden=16, embedding=16, steps=80)


def cells(n, seed):
    rng = Random(seed)
    return [sample(CELLS.space, rng) for _ in range(n)]


def worth(arch):
    """Good operations on the whole, in cells of any number of blocks."""
    return float(np.mean([op for _, _, *ops in CELLS.choices(arch) for op in ops]))


def test_it_ranks_cells_of_any_length_that_it_has_not_seen():
    archs, others = cells(120, 0), cells(100, 1)
    prediction = SMALL.fit(archs, [worth(a) for a in archs], seed=0)(others)
    assert prediction.mean.shape == prediction.std.shape == (100,)
    assert np.corrcoef(prediction.mean, [worth(a) for a in others])[0, 1] > 0.8


def test_a_fit_is_a_function_of_its_arguments():
    archs, scores = cells(20, 0), [worth(a) for a in cells(20, 0)]
    torch.manual_seed(1)
    one = SMALL.fit(archs, scores, seed=3)(archs).mean
    before = torch.get_rng_state()
    again = SMALL.fit(archs, scores, seed=3)(archs).mean
    assert np.array_equal(one, again) and torch.equal(before, torch.get_rng_state())
    assert not np.array_equal(one, SMALL.fit(archs, scores, seed=4)(archs).mean)


def test_a_prediction_depends_on_no_other_and_on_the_order_of_a_pair_neither():
    archs = cells(20, 0)
    fitted = SMALL.fit(archs, [worth(a) for a in archs], seed=0)
    alone = np.concatenate([fitted([arch]).mean for arch in archs])
    assert fitted(archs).mean == pytest.approx(alone, abs=1e-5)
    swapped = [CELLS.arch([(j, i, q, p) for i, j, p, q in CELLS.choices(arch)]) for arch in archs]
    assert swapped != archs and np.array_equal(fitted(archs).mean, fitted(swapped).mean)


def test_scores_may_have_any_unit_and_predictions_start_at_their_mean():
    archs = cells(30, 0)
    scores = [1000 - 50 * worth(a) for a in archs]
    barely = LSTM(CELLS.tokens, CELLS.vocabulary, hidden=8, embedding=8, steps=1, rate=1e-9, later=1e-9)
    assert barely.fit(archs, scores, seed=0)(archs).mean == pytest.approx(np.full(30, np.mean(scores)), abs=0.3 * np.ptp(scores))
    assert np.corrcoef(SMALL.fit(archs, scores, seed=0)(archs).mean, scores)[0, 1] > 0.9
    assert SMALL.fit(archs, [7.0] * 30, seed=0)(archs).mean.tolist() == [7.0] * 30
    assert SMALL.fit(archs, scores, seed=0)([]).mean.shape == (0,)


def test_tokens_of_any_space_are_of_live_decisions_only():
    space = {"a": OneOf(1, 2), "b": OneOf(OneOf("x", "y", "z"), 3)}
    tokens, vocabulary = decision_tokens(space)
    archs = [sample(space, Random(i)) for i in range(20)]
    assert vocabulary == 7 and {len(tokens(a)) for a in archs} == {2, 3}
    assert len({tuple(tokens(a)) for a in archs}) == len(set(archs))
    LSTM(tokens, vocabulary, hidden=4, embedding=4, steps=2).fit(archs, [float(len(a)) for a in archs], seed=0)(archs)


def test_bad_input_is_refused():
    archs = cells(3, 0)
    with pytest.raises(UserError, match="at least 2"):
        SMALL.fit(archs[:1], [1.0], seed=0)
    with pytest.raises(UserError, match="tokens must be 0 to 3"):
        LSTM(CELLS.tokens, 4).fit(archs, [1.0, 2.0, 3.0], seed=0)
    with pytest.raises(UserError, match="at least one for each"):
        LSTM(lambda arch: [], 4).fit(archs, [1.0, 2.0, 3.0], seed=0)
    with pytest.raises(UserError, match="hidden 0"):
        LSTM(CELLS.tokens, 4, hidden=0)
