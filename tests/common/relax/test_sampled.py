"""Annealed Gumbel noise against closed forms, and relaxations of spaces with widths."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from scipy.stats import chisquare
from torch import Tensor, nn

from common.errors import UserError
from common.relax.gates import OneGate
from common.relax.relaxation import Relaxation
from common.relax.sampled import AnnealedGumbel, HardGumbel, Sampling
from common.relax.weightings import Sigmoid, Softmax, Weighting
from common.space import ManyOf, OneOf
from common.supernet import Supernet, choose, choose_inputs, linear, opened
from tests.common.relax.closed_forms import ALL, LOGITS, G, P, close, counts, leaf, noise, pulled, rng


@pytest.mark.parametrize(("progress", "factor"), [(0.0, 0.8), (0.25, 0.65), (1.0, 0.2)])
@pytest.mark.parametrize("step", range(4))
def test_annealed_gumbel(progress: float, factor: float, step: int):
    logits = leaf()
    mixed = AnnealedGumbel(noise=(0.8, 0.2)).weigh(logits, rng(step), progress)
    k = int((P.log() + factor * noise(5, step)).argmax())
    assert mixed.live == (k,)
    assert mixed.weights.tolist() == [float(i == k) for i in range(5)]  # exactly
    expected = torch.stack([G[k] * P[k] * (float(i == k) - P[i]) for i in range(5)])  # noise or not
    assert close(pulled(mixed, logits, G), expected)


def test_how_much_noise_there_is_matters():
    """So that the test above tells a factor from another."""
    drawn = [[int((P.log() + a * noise(5, step)).argmax()) for step in range(40)] for a in (0.2, 0.65, 0.8)]
    assert len({tuple(row) for row in drawn}) == 3


def test_without_noise_the_strongest_is_taken_and_of_equals_the_first():
    still = AnnealedGumbel(noise=(0.0, 0.0))
    assert {still.weigh(LOGITS, rng(step), 0.3).live for step in range(20)} == {(4,)}
    assert {AnnealedGumbel().weigh(LOGITS, rng(step), 1.0).live for step in range(20)} == {(4,)}, "the noise has faded"
    assert len({AnnealedGumbel().weigh(LOGITS, rng(step), 0.0).live for step in range(20)}) > 2
    assert still.weigh(torch.zeros(4), rng(), 0.0).live == (0,)


def test_less_noise_draws_by_sharper_probabilities():
    """The largest of log p + a G is the largest of log p / a + G: options are drawn in proportion to p^(1/a)."""
    times, a = 4000, 0.5
    weighting = AnnealedGumbel(noise=(1.0, 0.0))
    seen = counts(lambda generator: weighting.weigh(LOGITS, generator, 0.5).live or (), times)
    sharp = P ** (1 / a) / (P ** (1 / a)).sum()
    assert chisquare(seen, (times * sharp).tolist()).pvalue > 0.01
    assert chisquare(seen, (times * P).tolist()).pvalue < 1e-6


def test_the_noise_fades_in_a_line_or_by_equal_ratios():
    paper = AnnealedGumbel()
    assert [paper.factor(p) for p in (0.0, 0.25, 0.5, 1.0)] == [1.0, 0.75, 0.5, 0.0]
    assert [AnnealedGumbel(noise=(2.0, 0.5)).factor(p) for p in (0.0, 0.5, 1.0)] == [2.0, 1.25, 0.5]
    exponential = AnnealedGumbel(noise=(1.0, 0.01), shape="exponential")
    assert [exponential.factor(p) for p in (0.0, 0.5, 1.0)] == pytest.approx([1.0, 0.1, 0.01])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: AnnealedGumbel(noise=(-0.1, 0.0)), r"noise=\(-0.1, 0.0\): give two numbers of 0 or more"),
        (lambda: AnnealedGumbel(noise=(1.0, -1.0)), "two numbers of 0 or more"),
        (lambda: AnnealedGumbel(noise=(float("inf"), 0.0)), "two numbers of 0 or more"),
        (lambda: AnnealedGumbel(noise=(1.0, float("nan"))), "two numbers of 0 or more"),
        (lambda: AnnealedGumbel(shape="exponential"), r"noise=\(1.0, 0.0\): .* above 0 if the noise falls exponentially"),
        (lambda: AnnealedGumbel(shape="cosine"), "shape='cosine'"),
        (lambda: AnnealedGumbel().weigh(LOGITS, rng(), 1.5), "progress=1.5"),
        (lambda: AnnealedGumbel().factor(-0.5), "progress=-0.5"),
    ],
)
def test_noise_that_cannot_be_is_refused(make: Callable[[], object], message: str):
    with pytest.raises(UserError, match=message):
        make()


@pytest.mark.parametrize("weighting", ALL, ids=str)
def test_sampling_means_that_one_option_is_live_in_every_mixture(weighting: Weighting):
    lives = [
        weigh(LOGITS, rng(step), progress).live
        for weigh in (weighting.weigh, weighting.weigh_frozen)
        for step in range(5)
        for progress in (0.0, 0.9)
    ]
    assert isinstance(weighting, Sampling) == all(live is not None and len(live) == 1 for live in lives)
    assert isinstance(weighting, Sampling) == isinstance(weighting, HardGumbel | AnnealedGumbel)


@pytest.mark.parametrize("weighting", [HardGumbel(), AnnealedGumbel()], ids=str)
@pytest.mark.parametrize("progress", [0.0, 0.7])
def test_options_drawn_together_are_those_drawn_one_after_the_other(weighting: Sampling, progress: float):
    logits = [torch.randn(n, generator=rng(n)) for n in (5, 1, 2, 31, 17, 64, 3)]
    for step in range(200):
        generator = rng(step)
        apart = [weighting.weigh(values, generator, progress).live for values in logits]
        assert [(k,) for k in weighting.sample(logits, rng(step), progress)] == apart
    assert weighting.sample([], rng(), progress) == []


# Relaxations of spaces with widths

SPACE = (OneOf(2, 4, 6), OneOf("relu", "tanh"))


class Net(nn.Module):
    def __init__(self, described: tuple[Any, Any]) -> None:
        super().__init__()
        width, activation = described
        self.hidden = linear(3, width)
        self.activation = choose(activation, lambda name: nn.ReLU() if name == "relu" else nn.Tanh())
        self.head = linear(width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.activation(self.hidden(x)))


def net() -> Supernet:
    torch.manual_seed(0)
    return Supernet(Net(opened(SPACE)), SPACE)


@pytest.mark.parametrize("weighting", [HardGumbel(), AnnealedGumbel()], ids=str)
def test_widths_are_relaxed_by_a_weighting_that_samples(weighting: Weighting):
    relaxation = Relaxation(supernet=net(), options=weighting, seed=3)
    logits = relaxation.logits.values
    assert {path: len(values) for path, values in logits.items()} == {"0": 3, "1": 2}
    x, widths = torch.randn(8, 3), set()
    for step in range(12):
        relaxation.mix(step, 0.0)
        slot = relaxation.supernet.slots["0"]
        assert slot.mixed is not None and slot.mixed.live == (slot.active,)
        widths.add(slot.active)
        found = torch.autograd.grad(relaxation.supernet.module(x).square().mean(), list(logits.values()))
        assert all(g.abs().max() > 0 for g in found), "both learn from one network"
    assert widths == {0, 1, 2}
    relaxation.mix(0, 0.0, frozen=True)
    assert relaxation.supernet.slots["0"].mixed is None, "nothing learns from its weight: it is the option itself"


def test_a_step_of_the_weights_alone_is_mixed_as_its_weighting_says():
    space = {"op": OneOf("a", "b", "c")}
    supernet = Supernet(choose(opened(space)["op"], lambda _: nn.Linear(3, 3)), space)
    for weighting in (OneGate(), Softmax()):
        relaxation = Relaxation(supernet=supernet, options=weighting, seed=1)
        relaxation.mix(0, 0.0)
        learnt = supernet.slots["op"].mixed
        assert learnt is not None and learnt.live is None and learnt.weights.requires_grad
        relaxation.mix(0, 0.0, frozen=True)
        still = supernet.slots["op"].mixed
        assert still is None if weighting == OneGate() else still is not None and not still.weights.requires_grad


def test_both_steps_of_one_number_draw_for_themselves():
    """What the weights are trained on is not what the logits have just learnt from."""
    relaxation = Relaxation(supernet=net(), options=HardGumbel(), seed=1)
    drawn: dict[bool, list[int]] = {False: [], True: []}
    for step in range(20):
        for frozen in drawn:
            relaxation.mix(step, 0.0, frozen=frozen)
            drawn[frozen].append(relaxation.supernet.slots["0"].active)
    assert drawn[True] != drawn[False]


@pytest.mark.parametrize("weighting", [w for w in ALL if not isinstance(w, Sampling)], ids=str)
def test_widths_are_not_relaxed_by_a_weighting_that_mixes(weighting: Weighting):
    with pytest.raises(UserError, match=r"'0' cannot be mixed: .*sample its options \(hard-gumbel, annealed-gumbel\), settle it"):
        Relaxation(supernet=net(), options=weighting)


@pytest.mark.parametrize("weighting", [Softmax(), AnnealedGumbel()], ids=str)
def test_where_sampling_does_not_help_it_is_not_advised(weighting: Weighting):
    space = (OneOf(2), SPACE[1], OneOf(7, 8))
    with pytest.warns(UserWarning, match="reads decision '2'"):
        unread = Supernet(Net(opened(space)[:2]), space)
    with pytest.raises(UserError, match=r"'2' cannot be mixed: .* no module reads it; settle it before the search"):
        Relaxation(supernet=unread, options=weighting)


def test_members_are_summed_while_widths_are_sampled():
    class Inputs(nn.Module):
        def __init__(self, described: tuple[Any, Any]) -> None:
            super().__init__()
            self.inputs, self.hidden = choose_inputs(described[0]), linear(3, described[1])

        def forward(self, tensors: list[Tensor]) -> Tensor:
            return self.hidden(self.inputs(tensors))

    space = (ManyOf((0, 1), 1, 2), OneOf(2, 4))
    supernet = Supernet(Inputs(opened(space)), space)
    tensors = [torch.randn(5, 3), torch.randn(5, 3)]
    for members in (None, Sigmoid()):
        relaxation = Relaxation(supernet=supernet, options=AnnealedGumbel(), members=members)
        relaxation.mix(0, 0.0)
        a, b = (1.0, 1.0) if members is None else relaxation.logits.values["0"].sigmoid()
        n = (2, 4)[supernet.slots["1"].active]
        expected = nn.functional.linear(a * tensors[0] + b * tensors[1], supernet.module.hidden.weight[:n])
        torch.testing.assert_close(supernet.module(tensors), expected + supernet.module.hidden.bias[:n])
