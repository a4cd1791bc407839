"""REINFORCE: its updates in closed form, what it learns, and that a replay is exact."""

from random import Random

import numpy as np
import pytest

from common.errors import UserError
from common.objective import Objective
from common.search.base import Scores, Trial
from common.search.driver import search
from common.search.policy import Independent
from common.search.policy_lstm import LSTM
from common.search.random import RandomSearch
from common.search.reinforce import Baseline, Reinforce, clipped
from common.space import Arch, OneOf, enumerate_all, sample
from tests.common.search.toys import HIT, SPACES, evaluator

BANDIT = OneOf(*"abc")
ARMS = [Arch({"": i}) for i in range(3)]
REWARDS = np.array([0.2, 0.9, 0.5])
WIDE = tuple(OneOf(*"abcde") for _ in range(6))
TARGET = sample(WIDE, Random(5))


def agreeing(archs, fidelity):
    return [Scores(values={"hit": sum(TARGET[p] == i for p, i in arch.items()) / 6}) for arch in archs]


def parameters(searcher):
    return np.concatenate([p.detach().numpy().ravel() for p in searcher._policy.parameters])


def pull(searcher, arm, reward):
    """One update from one arm, by hand."""
    searcher._ascend([ARMS[arm]], np.array([reward]))
    return parameters(searcher)


def test_the_expected_gradient_of_a_bandit_has_the_closed_form_with_any_baseline():
    """E[(1{a} - p)(R_a - b)] = p * (R - E[R]) for every b; an average that took the reward in scales it and no more."""
    policy = Independent(scale=0.5).policy(BANDIT, 0)
    p = np.exp(policy.log_prob(ARMS))
    exact = p * (REWARDS - p @ REWARDS)

    def expected(decay, corrected):
        total = np.zeros(3)
        for a in range(3):
            baseline = Baseline(decay, corrected)
            for reward in (0.3, 0.6, 0.1):  # a past
                baseline.advantage(reward)
            total += p[a] * policy.gradient([ARMS[a]], np.array([baseline.advantage(REWARDS[a])]))[0].numpy()[0]
        return total

    np.testing.assert_allclose(expected(None, False), exact, atol=1e-12)
    np.testing.assert_allclose(expected(0.9, False), 0.9 * exact, atol=1e-12)
    np.testing.assert_allclose(expected(0.9, True), 0.9 * (1 - 0.9**3) / (1 - 0.9**4) * exact, atol=1e-12)


def test_a_baseline_makes_the_gradient_less_noisy():
    policy = Independent(scale=0.0).policy(BANDIT, 0)
    rng = Random(0)

    def noise(decay):
        baseline, gradients = Baseline(decay, True), []
        for _ in range(500):
            a = rng.randrange(3)
            gradients.append(policy.gradient([ARMS[a]], np.array([baseline.advantage(REWARDS[a] + 5)]))[0].numpy()[0])
        return np.var(gradients[50:], axis=0).sum()

    assert noise(0.9) < 0.1 * noise(None)


def test_the_corrected_baseline_is_the_weighted_mean_of_the_rewards():
    baseline = Baseline(0.9, True)
    assert baseline.advantage(4.0) == pytest.approx(0)
    assert baseline.advantage(2.0) == pytest.approx(2.0 - (0.1 * 2 + 0.09 * 4) / 0.19)
    assert Baseline(0.99, False).advantage(4.0) == pytest.approx(4.0 - 0.04), "ENAS: it starts at 0"


def test_the_first_step_of_adam_is_the_rate_uphill():
    searcher = Reinforce(BANDIT, [HIT], rate=0.05)
    before = parameters(searcher)
    np.testing.assert_allclose(pull(searcher, 1, 2.0) - before, 0.05 * np.array([-1, 1, -1]), atol=1e-6)


@pytest.mark.parametrize("policy", [Independent(), LSTM(hidden=4)])
def test_ppo_with_one_epoch_is_the_plain_gradient(policy):
    plain = search(Reinforce(WIDE, [HIT], policy=policy, children=4, rate=0.1), agreeing, budget=60)
    assert search(Reinforce(WIDE, [HIT], policy=policy, children=4, rate=0.1, clip=0.2), agreeing, budget=60) == plain
    many = Reinforce(WIDE, [HIT], policy=policy, children=4, rate=0.1, clip=0.2, epochs=4)
    assert search(many, agreeing, budget=60) != plain


def test_ppo_stops_where_the_ratio_leaves_the_interval():
    advantages = np.array([1.0, 1.0, -1.0, -1.0, 2.0, -2.0])
    ratios = np.array([1.3, 0.5, 0.7, 1.5, 1.1, 0.9])
    np.testing.assert_allclose(clipped(advantages, ratios, 0.2), [0, 0.5, 0, -1.5, 2.2, -1.8])
    np.testing.assert_allclose(
        clipped(np.array([1.0, -1.0]), np.array([1.5, 0.5]), 0.5), [1.5, -0.5], err_msg="its ends are inside"
    )

    def chance(clip):
        searcher = Reinforce(BANDIT, [HIT], rate=0.05, betas=(0.0, 0.999), clip=clip, epochs=100)
        pull(searcher, 0, 1.0)
        return np.exp(searcher._policy.log_prob(ARMS))[0]

    assert 1.2 / 3 < chance(0.2) < 1.3 / 3, "the step that leaves the interval is the last, without momentum"
    assert chance(1e9) > 0.9


def test_power_keeps_the_order_and_the_sign():
    def reward(value, **settings):
        objective = settings.pop("objective", HIT)
        searcher = Reinforce(BANDIT, [objective], **settings)
        return searcher._reward(Trial(id=0, arch=ARMS[0], scores={objective.name: value}))

    assert reward(0.5, power=3.0) == 0.125 and reward(-0.5, power=3.0) == -0.125 and reward(0.5) == 0.5
    assert reward(2.0, objective=Objective("ms", "min"), power=2.0) == -4.0


def test_entropy_keeps_the_policy_open():
    def entropy(weight):
        searcher = Reinforce(WIDE, [HIT], children=5, rate=0.1, entropy=weight)
        search(searcher, agreeing, budget=200)
        return searcher._policy.sample(Random(0)).entropy

    closed, open_ = entropy(0.0), entropy(1.0)
    assert closed < 0.5 * open_ and open_ > 0.9 * 6 * np.log(5)


@pytest.mark.parametrize(
    "settings",
    [
        {"rate": 0.1},
        {"rate": 0.1, "children": 4, "entropy": 0.01},
        {"policy": LSTM(hidden=16), "rate": 0.03, "children": 4},
        {"policy": LSTM(layers=2, hidden=12), "rate": 0.03, "children": 8, "clip": 0.2, "epochs": 2},
    ],
)
def test_it_learns_what_random_search_does_not_find(settings):
    def best(make):
        return np.mean([max(t.scores["hit"] for t in search(make(seed), agreeing, budget=120)) for seed in range(3)])

    found = best(lambda seed: Reinforce(WIDE, [HIT], seed=seed, draws=3, **settings))
    assert found >= best(lambda seed: RandomSearch(WIDE, [HIT], seed=seed)) + 0.1


def test_a_smaller_loss_is_a_larger_reward():
    """Losses 1 - R are rewards R - 1, and the corrected baseline makes nothing of a constant."""

    def loss(archs, fidelity):
        return [Scores(values={"ms": 1 - scores.values["hit"]}) for scores in agreeing(archs, fidelity)]

    small, large = Reinforce(WIDE, [Objective("ms", "min")], rate=0.1), Reinforce(WIDE, [HIT], rate=0.1)
    trials = search(small, loss, budget=100)
    assert [t.arch for t in trials] == [t.arch for t in search(large, agreeing, budget=100)]
    fresh = Reinforce(WIDE, [HIT])
    assert small._policy.log_prob([TARGET])[0] > fresh._policy.log_prob([TARGET])[0] + 2


def test_what_is_drawn_again_is_learned_from_without_a_query():
    """One good arm of many: a policy that repeats itself goes on to move, at no cost."""
    space = OneOf(*range(50))

    def one_good(archs, fidelity):
        return [Scores(values={"hit": float(a[""] == 7)}) for a in archs]

    def run(draws):
        searcher = Reinforce(space, [HIT], rate=0.3, draws=draws, seed=1)
        trials = search(searcher, one_good, budget=50)
        assert len({t.arch for t in trials}) == 50
        return np.exp(searcher._policy.log_prob([Arch({"": 7})]))[0]

    assert run(100) > 0.9 > run(1)


def test_the_policy_is_the_same_after_a_replay():
    space = SPACES["nested"]

    def make():
        return Reinforce(space, [HIT], policy=LSTM(hidden=4), children=3, rate=0.1)

    whole = make()
    trials = search(whole, evaluator(space), budget=30)
    whole.ask(1)
    again = make()
    again.tell(trials)
    assert again.ask(1) and np.array_equal(parameters(again), parameters(whole))


def test_failed_trials_are_not_learned_from():
    def broken(archs, fidelity):
        return [Scores(status="failed", error="no") for _ in archs]

    searcher = Reinforce(WIDE, [HIT], rate=0.1)
    before = parameters(searcher)
    search(searcher, broken, budget=20)
    assert np.array_equal(parameters(searcher), before)


def test_proposals_name_the_trials_of_the_update_they_come_from():
    trials = search(Reinforce(WIDE, [HIT], children=5), agreeing, budget=20)
    assert [t.origin for t in trials] == ["random"] * 5 + ["policy"] * 15
    for t in trials[5:]:
        assert set(t.parents) >= set(range(t.id // 5 * 5 - 5, t.id // 5 * 5))


def test_infeasible_draws_leave_no_trace():
    def feasible(arch):
        return arch["0"] == 2

    trials = search(Reinforce(WIDE, [HIT], rate=0.1, draws=50, feasible=feasible), agreeing, budget=60)
    assert all(feasible(t.arch) for t in trials) and len({t.arch for t in trials}) == 60


def test_a_whole_space_is_visited_when_the_policy_has_settled():
    space = tuple(OneOf(*"abc") for _ in range(3))
    trials = search(Reinforce(space, [HIT], rate=1.0), lambda archs, _: agreeing_with_a(archs), budget=100)
    assert {t.arch for t in trials} == set(enumerate_all(space))


def agreeing_with_a(archs):
    return [Scores(values={"hit": float(sum(i == 0 for i in a.values()))}) for a in archs]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"children": 0}, "0 children"),
        ({"draws": 0}, "0 draws"),
        ({"rate": 0.0}, "rate 0.0"),
        ({"power": 0.0}, "power 0.0"),
        ({"betas": (0.9, 1.0)}, r"betas \(0.9, 1.0\)"),
        ({"baseline": 1.0}, "baseline decay 1.0"),
        ({"epochs": 3}, "3 epochs of the plain gradient"),
        ({"clip": 0.0}, "clip 0.0 is not positive"),
    ],
)
def test_settings_are_checked(settings, message):
    with pytest.raises(UserError, match=message):
        Reinforce(WIDE, [HIT], **settings)
