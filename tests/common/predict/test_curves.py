"""Learning curves y = a - b exp(-c t) + noise, with two features that say something about a."""

from __future__ import annotations

import numpy as np
import pytest

from common.errors import UserError
from common.predict.base import Prediction
from common.predict.curves import CurvePredictor, _inputs, prefixes, simulate, stops
from common.streams import numpy_stream

EPOCHS = 40


def curves(runs: int, noise: float = 0.004, seed: int = 0):
    rng = numpy_stream(seed, "curves")
    a, b, c = rng.uniform(0.5, 0.95, runs), rng.uniform(0.2, 0.5, runs), rng.uniform(0.06, 0.3, runs)
    t = np.arange(1, EPOCHS + 1)
    drawn = a[:, None] - b[:, None] * np.exp(-c[:, None] * t) + noise * rng.standard_normal((runs, EPOCHS))
    features = np.stack([a + 0.1 * rng.standard_normal(runs), rng.standard_normal(runs)], axis=1)
    return drawn, features


def r2(expected, true):
    return 1 - np.sum((true - expected) ** 2) / np.sum((true - true.mean()) ** 2)


TRAIN, TRAIN_FEATURES = curves(100)
TEST, TEST_FEATURES = curves(300, seed=1)


def test_a_quarter_of_the_curve_tells_its_end():
    fitted = CurvePredictor().fit(TRAIN, [10], 0)
    predicted = fitted(TEST[:, :10])
    assert r2(predicted.mean, TEST[:, -1]) > 0.9
    assert r2(TEST[:, 9], TEST[:, -1]) < 0.8  # the last score known does not do
    errors = np.abs(predicted.mean - TEST[:, -1]) / predicted.std
    assert 0.5 < np.mean(errors < 1) < 0.85  # sigma is about the size of an error
    assert np.mean(errors < 2) > 0.85


def test_more_epochs_and_features_help():
    plain = CurvePredictor(draws=10).fit(TRAIN, [5, 20], 0)
    helped = CurvePredictor(draws=10).fit(TRAIN, [5], 0, TRAIN_FEATURES)
    short, long = (r2(plain(TEST[:, :n]).mean, TEST[:, -1]) for n in (5, 20))
    assert long > short + 0.02
    assert r2(helped(TEST[:, :5], TEST_FEATURES).mean, TEST[:, -1]) > short + 0.02


def test_what_a_curve_is_described_by():
    assert _inputs(np.array([[1.0, 4.0, 9.0]]), np.array([[7.0]])).tolist() == [[1, 4, 9, 3, 5, 2, 7]]


def test_a_fit_is_a_function_of_its_arguments():
    made = [CurvePredictor(draws=3).fit(TRAIN[:30], [10], seed)(TEST[:5, :10]) for seed in (0, 0, 1)]
    assert made[0].mean.tobytes() == made[1].mean.tobytes()
    assert not np.array_equal(made[0].mean, made[2].mean)


def test_equal_ends_are_predicted():
    flat = TRAIN.copy()
    flat[:, -1] = 0.7
    predicted = CurvePredictor(draws=2).fit(flat, [10], 0)(TEST[:3, :10])
    assert (predicted.mean == 0.7).all() and (predicted.std == 0).all()


def test_the_rule():
    assert stops(0.9, 0.8, 0.05, 0.95)  # two deviations below: 97.7 %
    assert not stops(0.9, 0.8, 0.05, 0.99)
    assert not stops(0.9, 0.95, 0.05, 0.95)
    assert stops(0.9, 0.9, 0.0) and not stops(0.9, 0.9001, 0.0)  # certain
    assert not stops(None, 0.0, 0.1)  # nothing completed yet
    assert not stops(0.9, -1e9, 1e-9, 1.0) and not stops(0.9, 0.1, 0.0, 1.0)
    for best, expected, sigma, confidence in [
        (0.9, 0.8, -1, 0.9),
        (0.9, 0.8, 1, 0),
        (0.9, 0.8, 1, 1.1),
        (float("nan"), 0, 1, 0.9),
    ]:
        with pytest.raises(UserError, match="stop rule"):
            stops(best, expected, sigma, confidence)


def test_prefixes_start_at_a_quarter_and_at_three():
    assert prefixes(40)[0] == 10 and prefixes(40)[-1] == 39
    assert prefixes(41)[0] == 11
    assert prefixes(4) == [3]
    assert prefixes(40, 0.5, 5) == [20, 25, 30, 35]
    with pytest.raises(UserError, match="start"):
        prefixes(40, 1.5)


@pytest.mark.parametrize("seed", range(20))
def test_certainty_never_discards_the_best(seed: int):
    drawn = curves(50, seed=seed)[0]
    lengths = prefixes(EPOCHS)
    saved = simulate(drawn, lambda length: Prediction(drawn[:, -1], np.zeros(50)), lengths)
    assert saved.kept
    assert saved.epochs[int(np.argmax(drawn[:, -1]))] == EPOCHS
    records = sum(end > max(drawn[:i, -1], default=-1) for i, end in enumerate(drawn[:, -1]))
    assert saved.epochs.sum() == 40 * records + 10 * (50 - records)  # everything else stops at the first chance
    assert saved.speed_up == pytest.approx(50 * 40 / saved.epochs.sum())


def test_full_confidence_never_stops():
    saved = simulate(TEST, lambda length: Prediction(np.full(300, -9.0), np.full(300, 1e-6)), prefixes(EPOCHS), confidence=1.0)
    assert saved.speed_up == 1 and saved.kept and (saved.epochs == EPOCHS).all()


def test_only_completed_runs_set_the_best():
    drawn = np.array([[0.5] * 8, [0.9] * 8, [0.6] * 8])
    # the second is wrongly stopped: the third is compared with the first, and completed
    saved = simulate(drawn, lambda length: Prediction(np.array([0.5, 0.4, 0.6]), np.zeros(3)), [4])
    assert saved.epochs.tolist() == [8, 4, 8]
    assert not saved.kept
    assert saved.speed_up == 24 / 20
    assert simulate(drawn, lambda length: Prediction(np.zeros(3), np.zeros(3)), [4], completed=2).epochs.tolist() == [8, 8, 4]


def test_a_search_is_twice_as_fast():
    drawn = np.concatenate([TRAIN, TEST])
    lengths = prefixes(EPOCHS, every=5)
    fitted = CurvePredictor(draws=10).fit(TRAIN, lengths, 0)
    saved = simulate(drawn[70:], lambda length: fitted(drawn[70:, :length]), lengths, completed=30)
    assert saved.kept
    assert saved.speed_up > 2
    assert (
        simulate(drawn[70:], lambda n: fitted(drawn[70:, :n]), lengths, completed=30, confidence=0.9999).speed_up < saved.speed_up
    )


def test_bad_input_is_refused():
    predictor = CurvePredictor(draws=2)
    with pytest.raises(UserError, match="at least 5"):
        predictor.fit(TRAIN[:4], [10], 0)
    with pytest.raises(UserError, match="from 2 epochs"):
        predictor.fit(TRAIN, [2], 0)
    with pytest.raises(UserError, match="from 40 epochs"):
        predictor.fit(TRAIN, [40], 0)
    with pytest.raises(UserError, match="from no epochs"):
        predictor.fit(TRAIN, [], 0)
    with pytest.raises(UserError, match="run 1 has"):
        predictor.fit(np.array([[1.0] * 5, [np.nan] * 5]), [3], 0)
    with pytest.raises(UserError, match="one row for each run"):
        predictor.fit(TRAIN[0], [3], 0)
    with pytest.raises(UserError, match="3 rows of features"):
        predictor.fit(TRAIN, [10], 0, np.zeros((3, 1)))
    with pytest.raises(UserError, match="folds 1"):
        CurvePredictor(folds=1)
    with pytest.raises(UserError, match="none to simulate"):
        simulate(np.zeros((0, 4)), lambda length: Prediction(np.zeros(0), np.zeros(0)), [3])
    fitted = predictor.fit(TRAIN[:20], [10], 0)
    with pytest.raises(UserError, match="of 11 epochs were not fitted"):
        fitted(TEST[:, :11])
    with pytest.raises(UserError, match="2 features were given and 0 fitted"):
        fitted(TEST[:, :10], TEST_FEATURES)
    assert fitted(TEST[:0, :10]).mean.shape == (0,)
