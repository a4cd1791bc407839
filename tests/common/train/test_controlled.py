"""A policy that learns with the weights of a supernet: its gradient, its turns, and resuming exactly after a kill."""

import dataclasses
import signal

import numpy as np
import pytest
import torch
from torch import nn

from common.engines import Controller
from common.errors import UserError
from common.expression import parse
from common.run.checkpoint import Checkpoint
from common.search.policy import Independent
from common.search.policy_lstm import LSTM
from common.space import OneOf
from common.streams import stream
from common.supernet import Supernet, choose, linear, opened
from common.supernet.recalibrate import batch_norms
from common.train.controlled import PolicyPaths
from common.train.fit import TrainingDiverged, fit
from common.train.optim import ArchSettings
from common.train.schedules import cosine
from tests.common.run.killing import die, forked, status
from tests.common.train.acting import Option, batch, plain

SPACE = {"first": OneOf("good", "useless", "noise"), "width": OneOf(2, 4)}
STEPS = 12


class Net(nn.Module):
    def __init__(self, space):
        super().__init__()
        self.norm, self.first = nn.BatchNorm1d(4), choose(space["first"], Option)
        self.inner, self.last = linear(4, space["width"]), linear(space["width"], 1)

    def forward(self, x):
        return self.last(self.inner(self.first(self.norm(x))))


def squared(model, batch):
    x, y = batch
    return {"loss": (model(x) - y).square().mean(), "told": torch.tensor(2.0)}


class Search:
    def __init__(self, settings=None, steps=STEPS, policy=None):
        torch.manual_seed(0)
        self.settings = settings or Controller(arch=ArchSettings(lr=0.1, weight_decay=0.0, every=2), burst=3)
        self.supernet = Supernet(Net(opened(SPACE)), SPACE)
        self.optimizer = torch.optim.SGD(self.supernet.module.parameters(), lr=0.05, momentum=0.9)
        self.steps, self.turns = steps, []
        self.paths = PolicyPaths(
            settings=self.settings,
            policy=(policy or Independent()).policy(SPACE, 1),
            reward=parse(self.settings.reward),
            supernet=self.supernet,
            model=plain(self.supernet.module, squared),
            batch=self.batch,
            costs=lambda arch: {"macs": 10 + arch["width"]},
            weights=self.optimizer,
            seed=5,
        )

    def batch(self, number):
        self.turns.append(number)
        return batch("policy")(number)

    def run(self, checkpoint=None, observe=None):
        return fit(
            plain(self.supernet.module, squared),
            batch_at=batch("train"),
            optimizer=self.optimizer,
            schedule=cosine(),
            steps=self.steps,
            participants=[self.paths],
            checkpoint=checkpoint,
            save_every=4,
            observe=observe,
        )

    def bits(self):
        return [t.detach().clone() for t in (*self.supernet.module.state_dict().values(), *self.paths.tensors().values())]

    def chance(self, path, option):
        rng = stream(0, "draws")
        return sum(self.paths.policy.sample(rng).arch[path] == option for _ in range(400)) / 400


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("policy", [Independent(), LSTM(hidden=8)], ids=["independent", "lstm"])
def test_what_helps_becomes_likely(policy):
    search = Search(Controller(arch=ArchSettings(lr=0.05, weight_decay=0.0)), steps=150, policy=policy)
    search.run()
    assert search.chance("first", 0) > 0.8


def test_a_cost_in_the_reward_makes_what_is_cheap_likely():
    chances = {}
    for weight in (-1, 1):
        reward = f"0.0001 * told + {weight} * macs"
        search = Search(Controller(reward=reward, arch=ArchSettings(lr=0.05, weight_decay=0.0)), steps=60)
        search.run()
        chances[weight] = search.chance("width", 1)
    assert chances[-1] < 0.1 and chances[1] > 0.9


def test_the_policy_has_its_turn_after_so_many_steps_and_not_before_it_begins():
    search = Search(Controller(arch=ArchSettings(every=3, begin=0.5), burst=2))
    learned = []
    search.run(observe=lambda step, _: learned.append((step, len(search.turns))))
    assert search.turns == [4, 5, 6, 7], "turns before the beginning leave their batches out"
    assert [step for (step, n), (_, before) in zip(learned[1:], learned, strict=False) if n > before] == [8, 11]


def test_a_step_follows_the_gradient_of_the_reward_above_its_average():
    """The first reward is the average itself, so that the entropy alone moves the policy; the second one is compared."""
    search = Search(Controller(entropy=0.3, decay=0.75, arch=ArchSettings(lr=0.1, weight_decay=0.0)))
    policy = search.paths.policy
    drawn = [policy.sample(stream(5, "policy", number)).arch for number in range(2)]
    expected = policy.gradient(drawn[:1], np.array([0.0]), 0.3)
    seen = search.paths._learn(step_at(0), 0)
    assert seen["reward_average"] == seen["reward"] and torch.allclose(-policy.parameters[0].grad, expected[0])
    drawn = policy.sample(stream(5, "policy", 1)).arch
    before = [p.clone() for p in policy.parameters]
    second = search.paths._learn(step_at(0), 1)
    average = 0.75 * seen["reward"] + 0.25 * second["reward"]
    assert second["reward_average"] == pytest.approx(average)
    other = Search(search.settings).paths.policy
    for parameter, value in zip(other.parameters, before, strict=True):
        parameter.copy_(value)
    other.moved()
    expected = other.gradient([drawn], np.array([second["reward"] - average]), 0.3)
    assert torch.allclose(-policy.parameters[0].grad, expected[0])


def step_at(number):
    from common.train.step import Step

    return Step(number=number)


def test_an_average_that_restarts_forgets_the_turn_before(monkeypatch):
    rewards: list[float] = []
    real = PolicyPaths._rewarded

    def kept(self, *how):
        rewards.append(real(self, *how))
        return rewards[-1]

    monkeypatch.setattr(PolicyPaths, "_rewarded", kept)
    for restart in (False, True):
        rewards.clear()
        search = Search(Controller(restart=restart, decay=0.75, burst=2, arch=ArchSettings(every=4)))
        search.run()
        average = None
        for number, reward in enumerate(rewards):
            average = reward if average is None or (restart and number % 2 == 0) else 0.75 * average + 0.25 * reward
        assert len(rewards) == 6 and search.paths.state()["average"] == pytest.approx(average)


def test_settings_that_teach_nothing_are_refused():
    """The first reward of a turn is its own average, and so is every reward without a memory of those before."""
    with pytest.raises(UserError, match=r"burst=1 with restart=true: .*give a burst of 2 or more"):
        Controller(restart=True)
    with pytest.raises(UserError, match="decay=0: give a number above 0"):
        Controller(decay=0)


def test_the_rate_is_halved_at_the_shares_that_are_named():
    settings = Controller(arch=ArchSettings(lr=0.4), halve=(0.25, 0.5))
    assert [settings.rate(progress) for progress in (0, 0.24, 0.25, 0.5, 0.9)] == [0.4, 0.4, 0.2, 0.1, 0.1]


def test_a_turn_of_the_policy_changes_neither_weights_nor_statistics():
    search = Search()
    search.run()
    network = [t.clone() for t in search.supernet.module.state_dict().values()]
    policy = [p.clone() for p in search.paths.policy.parameters]
    state = torch.get_rng_state()
    search.paths.after(step_at(3), {})
    assert batch_norms(search.supernet.module) and same(search.supernet.module.state_dict().values(), network)
    assert torch.equal(torch.get_rng_state(), state) and not same(search.paths.policy.parameters, policy)


def test_weights_of_other_paths_stay_as_they_are():
    """Width 2 after steps at width 4: momentum must not move the half that is not used."""
    search = Search(Controller(arch=ArchSettings(begin=0.99)), steps=40)
    before, moved = None, []

    def observe(step, _):
        nonlocal before
        weight = search.supernet.module.inner.weight.detach().clone()
        if before is not None and search.supernet.slots["width"].active == 0:
            moved.append(torch.equal(weight[2:], before[2:]))
        before = weight

    search.run(observe=observe)
    assert len(moved) > 5 and all(moved)


@pytest.mark.parametrize("kill_at", [2, 5, 9])
def test_killed_and_resumed_equals_undisturbed(tmp_path, kill_at):
    one = Search()
    one.run(Checkpoint(tmp_path / "a"))

    def work():
        Search().run(Checkpoint(tmp_path / "b"), lambda step, _: die() if step == kill_at else None)

    assert status(forked(work)) == -signal.SIGKILL
    other = Search()
    other.run(Checkpoint(tmp_path / "b"))
    assert same(one.bits(), other.bits())
    assert one.paths.state()["average"] == other.paths.state()["average"]


def test_a_reward_without_a_value_ends_the_training():
    search = Search(dataclasses.replace(Search().settings, reward="log(told - 2)"))
    with pytest.raises(TrainingDiverged, match=r"search.engine.reward at step 1: .*; give another reward"):
        search.run()
