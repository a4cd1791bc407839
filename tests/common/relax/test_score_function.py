"""REINFORCE on a relaxation: the closed form, an unbiased estimate of the expected reward's gradient, and what is refused."""

from itertools import product

import pytest
import torch
from torch import Tensor, nn

from common.errors import UserError
from common.relax.relaxation import Relaxation
from common.relax.sampled import AnnealedGumbel, HardGumbel
from common.relax.score_function import ScoreFunction
from common.relax.weightings import Sigmoid, Softmax
from common.space import ManyOf, OneOf
from common.supernet import Supernet, choose, choose_inputs, opened
from tests.common.relax.closed_forms import close

STEADY = AnnealedGumbel(noise=(1.0, 1.0))
SPACE = {"first": OneOf("a", "b", "c"), "second": OneOf("x", ("deep", OneOf("y", "z")))}


class Scale(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x


class Net(nn.Module):
    def __init__(self, space):
        super().__init__()
        self.first = choose(space["first"], lambda _: Scale())
        self.second = choose(space["second"], lambda option: Scale() if option == "x" else choose(option[1], lambda _: Scale()))

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x))


def relaxation(options=STEADY, seed=0, std=0.5) -> Relaxation:
    supernet = Supernet(Net(opened(SPACE)), SPACE)
    return Relaxation(supernet=supernet, options=options, seed=seed, std=std)


def drawn(relaxation: Relaxation) -> tuple[int, int, int]:
    return tuple(relaxation.supernet.slots[path].active for path in relaxation.logits.values)


def test_the_gradient_is_the_score_of_what_was_drawn_times_the_advantage():
    relaxed, score = relaxation(), ScoreFunction(reward="accuracy", decay=0.75)
    paths = list(relaxed.logits.values)
    relaxed.mix(0, 0.0, frozen=True)
    first = score.gradients(relaxed, {"accuracy": 0.6, "loss": 3.0})
    assert all(g is None or not g.any() for g in first), "the first reward is the average"
    average = 0.6
    for step, reward in enumerate((0.8, 0.1, 0.4), 1):
        relaxed.mix(step, 0.0, frozen=True)
        found = dict(zip(paths, score.gradients(relaxed, {"accuracy": reward}), strict=True))
        for path, logits in relaxed.logits.values.items():
            option = relaxed.supernet.slots[path].active
            onehot = torch.eye(len(logits), dtype=logits.dtype)[option]
            if path.count("[") and relaxed.supernet.slots["second"].active == 0:
                assert found[path] is None, "the network has no such decision"
            else:
                torch.testing.assert_close(found[path], -(reward - average) * (onehot - logits.detach().softmax(0)))
        average = 0.75 * average + 0.25 * reward


def test_losses_are_made_small():
    relaxed = relaxation()
    gradients = []
    for terms in ({"loss": 1.0}, {"loss": 3.0}):
        for name in ("loss", "gain"):
            score = ScoreFunction(reward=name)
            score.load({"average": -2.0 if name == "loss" else 2.0})
            relaxed.mix(0, 0.0, frozen=True)
            gradients.append(score.gradients(relaxed, {**terms, "gain": terms["loss"]})[0])
    assert close(gradients[0], -gradients[1]) and close(gradients[2], -gradients[3]) and gradients[0].any()


def test_on_average_it_is_the_gradient_of_the_expected_reward():
    """Reward by the networks drawn: the mean over many draws against the exact gradient, within four standard errors."""
    relaxed = relaxation(std=0.8)
    paths = list(relaxed.logits.values)
    values = [relaxed.logits.values[path] for path in paths]
    reward = {options: float(i * i % 7) for i, options in enumerate(product(range(3), range(2), range(2)))}

    def worth(options):
        return reward[(options[0], options[1], options[2] if options[1] else 0)]

    p = [value.softmax(0) for value in values]
    expected = sum(worth(o) * p[0][o[0]] * p[1][o[1]] * p[2][o[2]] for o in product(range(3), range(2), range(2)))
    exact = torch.autograd.grad(-expected, values)
    samples = []
    for step in range(4000):
        score = ScoreFunction(reward="accuracy")
        score.load({"average": 2.5})
        relaxed.mix(step, 0.0, frozen=True)
        found = score.gradients(relaxed, {"accuracy": worth(drawn(relaxed))})
        samples.append(torch.cat([torch.zeros_like(v) if g is None else g for g, v in zip(found, values, strict=True)]))
    stacked = torch.stack(samples)
    error = (stacked.mean(0) - torch.cat(exact)).abs() / (stacked.std(0) / len(samples) ** 0.5)
    assert float(error.max()) < 4 and float(torch.cat(exact).abs().max()) > 0.1


def test_the_average_is_saved():
    one, other, relaxed = ScoreFunction(), ScoreFunction(), relaxation()
    relaxed.mix(0, 0.0, frozen=True)
    one.gradients(relaxed, {"loss": 2.0})
    other.load(one.state())
    for score in (one, other):
        score.gradients(relaxed, {"loss": 1.0})
    assert one.state() == other.state() == {"average": pytest.approx(-1.95)}


def test_a_decision_of_one_option_need_not_be_read_by_the_network():
    space = {"lone": OneOf("x"), **SPACE}
    relaxed = Relaxation(supernet=Supernet(Net(opened(SPACE)), space), options=STEADY, std=0.5)
    score = ScoreFunction()
    score.load({"average": 0.0})
    relaxed.mix(0, 0.0, frozen=True)
    assert score.gradients(relaxed, {"loss": 1.0})[0].any()


@pytest.mark.parametrize("options", [Softmax(), Softmax(keep=0.5)])
def test_mixtures_have_no_reward(options):
    with pytest.raises(UserError, match="draws one option"):
        ScoreFunction().check(relaxation(options=options))
    ScoreFunction().check(relaxation(options=HardGumbel()))


def test_members_with_probabilities_are_refused():
    class Inputs(nn.Module):
        def __init__(self, space):
            super().__init__()
            self.inputs = choose_inputs(space)

        def forward(self, x):
            return self.inputs([x, x])

    space = ManyOf((0, 1), 1, 2)
    supernet = Supernet(Inputs(opened(space)), space)
    with pytest.raises(UserError, match="members of a subset are mixed"):
        ScoreFunction().check(Relaxation(supernet=supernet, options=STEADY, members=Sigmoid()))


def test_bad_settings():
    with pytest.raises(UserError, match=r"decay=1\.0"):
        ScoreFunction(decay=1.0)
    relaxed = relaxation()
    relaxed.mix(0, 0.0, frozen=True)
    with pytest.raises(UserError, match=r"search\.engine\.reward=f1: training tells loss, accuracy; name one of them"):
        ScoreFunction(reward="f1").gradients(relaxed, {"loss": 1.0, "accuracy": 0.5})
