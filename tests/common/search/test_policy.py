"""Policies: what they sample is what they say they sample, and their gradients are those of what they say."""

import math
from collections import Counter
from random import Random

import numpy as np
import pytest
import torch

from common.errors import UserError
from common.search.policy import Independent
from common.search.policy_lstm import LSTM
from common.space import Arch, ManyOf, OneOf, Where, decode, enumerate_all, sample
from tests.common.search.toys import SPACES

SETTINGS = {
    "independent": Independent(scale=1.0),
    "lstm": LSTM(hidden=6, scale=1.0),
    "deep": LSTM(layers=2, hidden=5, scale=1.0, temperature=2.0, tanh=2.5),
}
CASES = [(name, key) for name in SETTINGS for key in SPACES]
FREE = [key for key in SPACES if key != "where"]


@pytest.mark.parametrize(("name", "key"), CASES)
def test_the_log_prob_of_a_sample_is_the_teacher_forced_one(name, key):
    policy = SETTINGS[name].policy(SPACES[key], 3)
    draws = [policy.sample(Random(i)) for i in range(30)]
    np.testing.assert_allclose(policy.log_prob([d.arch for d in draws]), [d.log_prob for d in draws], rtol=0, atol=1e-12)
    for draw in draws:
        decode(SPACES[key], draw.arch)
        assert policy.log_prob([draw.arch])[0] == pytest.approx(draw.log_prob, abs=1e-12)
        backwards = Arch(dict(reversed(list(draw.arch.items()))))
        assert policy.log_prob([backwards])[0] == pytest.approx(draw.log_prob, abs=1e-12), "the order written down is no matter"


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("key", FREE)
def test_probabilities_of_all_architectures_sum_to_one(name, key):
    policy = SETTINGS[name].policy(SPACES[key], 1)
    assert np.exp(policy.log_prob(list(enumerate_all(SPACES[key])))).sum() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("key", ["repeat", "where"])
def test_samples_are_as_frequent_as_their_probability(name, key):
    policy = SETTINGS[name].policy(SPACES[key], 2)
    archs = list(enumerate_all(SPACES[key]))
    chances = np.exp(policy.log_prob(archs))
    rng, n = Random(0), 3000
    seen = Counter(policy.sample(rng).arch for _ in range(n))
    chances /= chances.sum()  # a rule keeps a share of the draws
    deviation = np.array([seen[arch] for arch in archs]) - n * chances
    assert (np.abs(deviation) < 5 * np.sqrt(n * chances * (1 - chances)) + 1).all()


@pytest.mark.parametrize("name", SETTINGS)
def test_the_entropy_of_a_sample_is_that_of_the_policy_in_the_mean(name):
    space = SPACES["nested"]
    policy = SETTINGS[name].policy(space, 4)
    archs = list(enumerate_all(space))
    logs = policy.log_prob(archs)
    exact = -(np.exp(logs) * logs).sum()
    rng = Random(1)
    entropies = [policy.sample(rng).entropy for _ in range(2000)]
    assert np.mean(entropies) == pytest.approx(exact, abs=5 * np.std(entropies) / math.sqrt(2000) + 1e-9)


@pytest.mark.parametrize(("name", "key"), CASES)
@pytest.mark.parametrize("entropy", [0.0, 0.7])
def test_gradients_are_those_of_finite_differences(name, key, entropy):
    policy = SETTINGS[name].policy(SPACES[key], 5)
    rng = Random(2)
    archs = [sample(SPACES[key], rng) for _ in range(3)]
    weights = np.array([0.5, -1.5, 2.0])
    draws = {arch: walk_entropy(policy, arch) for arch in archs}
    assert len(draws) >= 1

    def value():
        policy.moved()
        return weights @ policy.log_prob(archs) + entropy * np.mean([walk_entropy(policy, arch) for arch in archs])

    noise = torch.Generator().manual_seed(0)
    for parameter, gradient in zip(policy.parameters, policy.gradient(archs, weights, entropy), strict=True):
        way = torch.randn(parameter.shape, generator=noise, dtype=torch.float64)
        ends = []
        with torch.no_grad():
            for step in (1e-5, -2e-5):
                parameter += step * way
                ends.append(value())
            parameter += 1e-5 * way
        policy.moved()
        assert float((gradient * way).sum()) == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-5, abs=1e-7)


def walk_entropy(policy, arch):
    """The sum of entropies on the way of `arch`: out of the log-probabilities of the options at each place."""
    total, tokens = 0.0, []
    for row, option in policy.sequence(arch):
        total += policy._next(tokens, row).entropy
        tokens.append(policy.offsets[row] + option)
    return total


@pytest.mark.parametrize("settings", [Independent(scale=0.3), LSTM(hidden=3)])
def test_the_gradient_of_a_bandit_has_the_closed_form(settings):
    """One decision: d log softmax[a] / d logits = 1{a} - p, times (R - b)."""
    space = OneOf(*"abc")
    policy = settings.policy(space, 0)
    p = np.exp(policy.log_prob([Arch({"": i}) for i in range(3)]))
    for a, advantage in [(0, 2.0), (2, -0.5)]:
        gradient = policy.gradient([Arch({"": a})], np.array([advantage]))[-1].numpy().ravel()  # logits, or the softmax's biases
        np.testing.assert_allclose(gradient, advantage * ((np.arange(3) == a) - p), atol=1e-12)


def test_a_decision_that_is_not_live_has_no_gradient():
    policy = Independent().policy(SPACES["nested"], 0)
    none = next(a for a in enumerate_all(SPACES["nested"]) if len(a) == 3)  # both blocks are `None`
    (gradient,) = policy.gradient([none], np.array([1.0]), 0.1)
    touched = gradient.abs().sum(1) > 0
    assert [path for path, row in policy._rows.items() if touched[row]] == list(none)


def test_the_tanh_constant_bounds_how_sure_a_policy_can_be():
    policy = LSTM(hidden=4, scale=50.0, tanh=1.1).policy(SPACES["flat"], 0)
    logs = policy.log_prob(list(enumerate_all(SPACES["flat"])))
    assert logs.min() > 4 * (-1.1 - math.log(math.exp(1.1) * 3 + math.exp(-1.1)))
    soft = LSTM(hidden=4, scale=1.0, temperature=1e6).policy(SPACES["flat"], 0)
    assert soft.sample(Random(0)).entropy == pytest.approx(4 * math.log(4), abs=1e-6)


@pytest.mark.parametrize("settings", [Independent(), LSTM(hidden=3)])
def test_policies_are_functions_of_their_seed_and_leave_global_generators_alone(settings):
    before = torch.get_rng_state()
    one, same, other = (settings.policy(SPACES["flat"], seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters, same.parameters, strict=True))
    assert not torch.equal(one.parameters[0], other.parameters[0])


@pytest.mark.parametrize("settings", [Independent(), LSTM(hidden=3)])
def test_a_space_without_decisions_has_one_architecture_for_sure(settings):
    policy = settings.policy((3, "x"), 0)
    draw = policy.sample(Random(0))
    assert draw == (Arch({}), 0.0, 0.0) and policy.log_prob([draw.arch]) == [0.0]
    assert all(float(g.abs().sum()) == 0 for g in policy.gradient([draw.arch], np.array([1.0]), 0.1))


@pytest.mark.parametrize("settings", [Independent(), LSTM(hidden=3)])
def test_bad_input_is_named(settings):
    narrow = Where((OneOf(*range(9)), OneOf(*range(9))), lambda v: False, "never")
    with pytest.raises(UserError, match="the rule 'never' is too narrow"):
        settings.policy(narrow, 0).sample(Random(0))
    with pytest.raises(UserError, match="decision '': 1,048,576 options are more than 100,000"):
        settings.policy(ManyOf(list(range(20)), 0, 20), 0)
    policy = settings.policy(SPACES["flat"], 0)
    with pytest.raises((ValueError, RuntimeError)):  # a weight for each
        policy.gradient([Arch({str(i): 0 for i in range(4)})] * 2, np.array([1.0]))
    for wrong in (Arch({"0": 4}), Arch({"nowhere": 0})):
        with pytest.raises(UserError, match="not of this policy's space"):
            policy.log_prob([wrong])


def test_as_many_options_as_are_allowed_make_a_softmax(monkeypatch):
    monkeypatch.setattr("common.search.policy.MOST_OPTIONS", 4)
    assert Independent().policy(SPACES["flat"], 0).sizes == [4] * 4
    with pytest.raises(UserError, match="decision '': 5 options are more than 4"):
        Independent().policy(OneOf(*"abcde"), 0)


def test_an_lstm_has_a_vector_in_and_one_out_for_each_option_and_one_that_begins():
    policy = LSTM(layers=2, hidden=3).policy(SPACES["flat"], 0)
    assert [tuple(p.shape) for p in policy.parameters] == [(16 + 1, 3), (16, 3), *[(4 * 3, 3)] * 4, (16,)]


def test_settings_are_checked():
    with pytest.raises(UserError, match="0 layers of 100 units"):
        LSTM(layers=0)
    for wrong in ({"tanh": -1.0}, {"tanh": 0.0}, {"temperature": 0.0}, {"scale": 0.0}):
        with pytest.raises(UserError, match="must be positive"):
            LSTM(**wrong)
