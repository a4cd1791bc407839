"""Every weighting's forward value and gradient against a closed form, written here without the code under test."""

from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from scipy.integrate import quad
from scipy.stats import chisquare
from torch import nn

from common.errors import UserError
from common.relax.gates import OneGate, OneHot, TwoGates
from common.relax.sampled import AnnealedGumbel, HardGumbel
from common.relax.weightings import GumbelSoftmax, Sigmoid, Softmax, Temperature, Weighting
from tests.common.relax.closed_forms import (
    ALL,
    LOGITS,
    WARM,
    G,
    P,
    close,
    counts,
    first_of_pair_probabilities,
    leaf,
    noise,
    pulled,
    rng,
    softmax_pull,
)


def test_softmax():
    logits = leaf()
    mixed = Softmax().weigh(logits, rng(), 0.0)
    assert mixed.live is None
    assert close(mixed.weights, P)
    assert close(pulled(mixed, logits, G), softmax_pull(P, G))


def test_a_softmax_with_a_falling_temperature_grows_sharper():
    """BATS (2003.01711, section 3.2): softmax(logits / T), and the gradient of that; what is derived is at the last T."""
    weighting = Softmax(temperature=Temperature(start=1.0, end=0.25, shape="exponential"))
    logits = leaf()
    entropies = []
    for progress, temperature in ((0.0, 1.0), (0.5, 0.5), (1.0, 0.25)):
        mixed = weighting.weigh(logits, rng(), progress)
        p = (LOGITS / temperature).softmax(0)
        assert close(mixed.weights, p)
        assert close(pulled(mixed, logits, G), softmax_pull(p, G) / temperature)
        entropies.append(-(p * p.log()).sum())
    assert entropies[0] > entropies[1] > entropies[2]
    assert close(weighting.probabilities(logits), (LOGITS / 0.25).softmax(0))
    part = Softmax(keep=0.5, temperature=Temperature(start=0.5, end=0.5)).weigh(logits, rng(), 0.0)
    kept = list(part.live or ())
    assert close(part.weights[kept], (LOGITS[kept] / 0.5).softmax(0))


def test_softmax_keeps_a_part_renormalised():
    logits = leaf()
    mixed = Softmax(keep=0.5).weigh(logits, rng(), 0.0)
    kept = sorted(noise(5).argsort(descending=True)[:3].tolist())  # ceil(0.5 * 5)
    assert mixed.live == tuple(kept)
    q = torch.zeros(5, dtype=torch.float64)
    q[kept] = P[kept] / P[kept].sum()
    assert close(mixed.weights, q)
    pull = pulled(mixed, logits, G)
    assert close(pull, softmax_pull(q, G))  # q is 0, and so is the gradient, at what is not kept
    assert (pull == 0).sum() == 2


@pytest.mark.parametrize(
    ("keep", "n", "count"), [(0.07, 100, 7), (0.5, 3, 2), (0.01, 4, 1), (0.25, 1, 1), (0.9, 2, 2), (0.3, 10, 3)]
)
def test_softmax_never_keeps_more_than_its_share_rounded_up(keep: float, n: int, count: int):
    assert len(Softmax(keep=keep).weigh(torch.zeros(n), rng(), 0.0).live or ()) == count


def test_a_share_of_one_is_no_sampling_at_all():
    generator = rng()
    state = generator.get_state()
    assert torch.equal(
        Softmax(keep=1.0, drawn="proportional").weigh(LOGITS, generator, 0.0).weights, Softmax().weigh(LOGITS, rng(), 0.0).weights
    )
    assert torch.equal(generator.get_state(), state)


@pytest.mark.parametrize("drawn", ["uniform", "proportional"])
def test_softmax_draws_as_it_says(drawn: str):
    weighting = Softmax(keep=0.4, drawn=drawn)
    times = 4000
    seen = counts(lambda generator: weighting.weigh(LOGITS, generator, 0.0).live or (), times)
    expected = first_of_pair_probabilities(P.tolist() if drawn == "proportional" else [0.2] * 5)
    for i, p in enumerate(expected):  # the five counts depend on one another: one test each
        assert chisquare([seen[i], times - seen[i]], [times * p, times * (1 - p)]).pvalue > 0.01 / 5


def test_sigmoid():
    logits = leaf()
    mixed = Sigmoid().weigh(logits, rng(), 0.0)
    s = 1 / (1 + (-LOGITS).exp())
    assert mixed.live is None
    assert close(mixed.weights, s)
    assert close(pulled(mixed, logits, G), G * s * (1 - s))


@pytest.mark.parametrize("progress", [0.0, 0.5])
def test_gumbel_softmax(progress: float):
    logits = leaf()
    mixed = GumbelSoftmax(temperature=Temperature(start=2.0, end=0.5)).weigh(logits, rng(3), progress)
    tau = 2.0 - 1.5 * progress
    z = ((LOGITS + noise(5, 3)) / tau).exp()
    z /= z.sum()
    assert mixed.live is None
    assert close(mixed.weights, z)
    assert close(pulled(mixed, logits, G), softmax_pull(z, G) / tau)


def test_gumbel_max_frequencies_are_the_softmax():
    times = 4000
    for weighting in (GumbelSoftmax(temperature=WARM), HardGumbel(temperature=WARM), AnnealedGumbel(), OneGate()):
        seen = counts(lambda generator: (int(weighting.weigh(LOGITS, generator, 0.0).weights.argmax()),), times)  # noqa: B023
        assert chisquare(seen, (times * P).tolist()).pvalue > 0.01
        assert close(weighting.probabilities(LOGITS), P)


def test_gumbel_softmax_turns_one_hot_as_the_temperature_falls():
    hottest = [
        float(GumbelSoftmax(temperature=Temperature(start=t, end=t)).weigh(LOGITS, rng(2), 0.0).weights.max())
        for t in (1.0, 0.3, 0.01)
    ]
    assert hottest == sorted(hottest)
    weights = GumbelSoftmax(temperature=Temperature(start=1e-4, end=1e-4)).weigh(LOGITS, rng(2), 0.0).weights
    assert close(weights, nn.functional.one_hot((LOGITS + noise(5, 2)).argmax(), 5))


def test_gumbel_softmax_of_two_has_the_concrete_density():
    logits, tau, times = torch.tensor([0.4, -0.3], dtype=torch.float64), 0.7, 4000
    alpha = logits.exp().tolist()

    def density(z: float) -> float:  # Maddison et al. 2017 (1611.00712), equation 10, n = 2
        return tau * alpha[0] * alpha[1] * (z * (1 - z)) ** (-tau - 1) / (alpha[0] * z**-tau + alpha[1] * (1 - z) ** -tau) ** 2

    edges = [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0]
    shares = [quad(density, a, b)[0] for a, b in pairwise(edges)]
    assert sum(shares) == pytest.approx(1, abs=1e-6)
    generator = rng(4)
    drawn = torch.stack([GumbelSoftmax(temperature=WARM).weigh(logits, generator, 0.0).weights[0] for _ in range(times)])
    seen = torch.histogram(drawn, torch.tensor(edges, dtype=torch.float64)).hist.tolist()
    assert chisquare(seen, [times * share / sum(shares) for share in shares]).pvalue > 0.01


def test_hard_gumbel():
    logits, tau = leaf(), 0.7
    mixed = HardGumbel(temperature=WARM).weigh(logits, rng(5), 0.0)
    noisy = LOGITS + noise(5, 5)
    k = int(noisy.argmax())
    h = (noisy / tau).exp() / (noisy / tau).exp().sum()
    assert mixed.live == (k,)
    assert mixed.weights.tolist() == [float(i == k) for i in range(5)]  # exactly
    expected = torch.stack([G[k] * h[k] * (float(i == k) - h[i]) / tau for i in range(5)])
    pull = pulled(mixed, logits, G)
    assert close(pull, expected)
    assert torch.all(pull[torch.arange(5) != k] * pull[k] < 0)  # the others move against the one drawn
    weight = 1 + h[k] - h[k].detach()
    assert close(mixed.weights[k].detach(), weight)


def test_probabilities():
    values = torch.tensor([0.2, 1.0, 0.0], dtype=torch.float64)
    assert torch.equal(OneHot().probabilities(values), values)
    assert close(Sigmoid().probabilities(LOGITS), 1 / (1 + (-LOGITS).exp()))
    costs = torch.tensor([3.0, 1.0, 4.0, 1.0, 5.0], dtype=torch.float64)
    for weighting in (Softmax(), Softmax(keep=0.5), GumbelSoftmax(), HardGumbel(), AnnealedGumbel(), OneGate(), TwoGates()):
        logits = leaf()
        cost = (weighting.probabilities(logits) * costs).sum()
        assert close(torch.autograd.grad(cost, logits)[0], P * (costs - (P * costs).sum()))  # p_i (F_i - E[F])


@pytest.mark.parametrize("weighting", ALL, ids=str)
@pytest.mark.parametrize("frozen", [False, True])
def test_the_same_seed_and_step_give_the_same_bytes(weighting: Weighting, frozen: bool):
    weigh = weighting.weigh_frozen if frozen else weighting.weigh
    torch.manual_seed(1)
    a = weigh(LOGITS.float(), rng(8), 0.25)
    torch.manual_seed(2)
    state = torch.get_rng_state()
    b = weigh(LOGITS.float(), rng(8), 0.25)
    assert torch.equal(a.weights, b.weights) and a.live == b.live
    assert torch.equal(torch.get_rng_state(), state)  # nothing global is drawn


@pytest.mark.parametrize("weighting", ALL, ids=str)
def test_draws_do_not_depend_on_the_logits(weighting: Weighting):
    """So one decision's values never change what the next decision of the same step draws."""
    states = []
    for logits in (LOGITS, torch.zeros(5)):
        generator = rng(9)
        weighting.weigh(logits, generator, 0.5)
        states.append(generator.get_state())
    assert torch.equal(*states)


@pytest.mark.parametrize("weighting", ALL, ids=str)
def test_weights_keep_type_and_shape_and_nothing_flows_when_frozen(weighting: Weighting):
    for n in (1, 2, 7):
        logits = torch.linspace(0, 1, n).requires_grad_()
        mixed = weighting.weigh(logits, rng(n), 0.5)
        assert mixed.weights.shape == (n,) and mixed.weights.dtype == torch.float32 and mixed.weights.requires_grad
        assert torch.isfinite(torch.autograd.grad(mixed.weights.sum(), logits)[0]).all()
        frozen = weighting.weigh_frozen(logits, rng(n), 0.5)
        assert not frozen.weights.requires_grad
        assert frozen.weights.sum() > 0
        for got in (mixed, frozen):
            assert got.live is None or list(got.live) == sorted(set(got.live)) != []
            idle = [i for i in range(n) if got.live is not None and i not in got.live]
            assert not got.weights[idle].any()
        p = weighting.probabilities(logits)
        assert p.shape == (n,) and p.requires_grad and p.min() >= 0 and p.max() <= 1


@pytest.mark.parametrize("weighting", [w for w in ALL if not isinstance(w, TwoGates | OneHot)], ids=str)
def test_most_weightings_leave_logits_where_the_optimiser_put_them(weighting: Weighting):
    logits = LOGITS + 3
    weighting.after_step(logits, LOGITS)
    assert torch.equal(logits, LOGITS + 3)


def test_temperatures():
    linear = Temperature(start=10.0, end=0.1)
    assert [linear.at(p) for p in (0.0, 0.5, 1.0)] == pytest.approx([10.0, 5.05, 0.1])
    exponential = Temperature(start=10.0, end=0.1, shape="exponential")
    assert [exponential.at(p) for p in (0.0, 0.5, 1.0)] == pytest.approx([10.0, 1.0, 0.1])
    assert (GumbelSoftmax().temperature.at(0.0), GumbelSoftmax().temperature.at(1.0)) == pytest.approx((1.0, 0.03))
    assert (HardGumbel().temperature.at(0.0), HardGumbel().temperature.at(1.0)) == pytest.approx((10.0, 0.1))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Softmax(keep=0.0), "keep=0.0"),
        (lambda: Softmax(keep=1.5), "keep=1.5"),
        (lambda: Softmax(keep=float("nan")), "keep=nan"),
        (lambda: Softmax(keep=0.5, drawn="best"), "drawn='best'"),
        (lambda: OneHot(keep=0), "keep=0"),
        (lambda: Temperature(start=0.0, end=1.0), "temperature start=0.0"),
        (lambda: Temperature(start=1.0, end=-0.1), "temperature end=-0.1"),
        (lambda: Temperature(start=float("inf"), end=1.0), "temperature start=inf"),
        (lambda: Temperature(start=1.0, end=1.0, shape="cosine"), "shape='cosine'"),
        (lambda: Temperature(start=1.0, end=0.5).at(1.01), "progress=1.01"),
        (lambda: GumbelSoftmax().weigh(LOGITS, rng(), -0.5), "progress=-0.5"),
    ],
)
def test_bad_settings_are_refused(make: Callable[[], object], message: str):
    with pytest.raises(UserError, match=message):
        make()


@pytest.mark.parametrize("weighting", ALL, ids=str)
@pytest.mark.parametrize("shape", [(0,), (), (2, 3)])
def test_what_is_not_a_logit_per_option_is_refused(weighting: Weighting, shape: tuple[int, ...]):
    for use in (
        lambda bad: weighting.weigh(bad, rng(), 0.0),
        lambda bad: weighting.weigh_frozen(bad, rng(), 0.0),
        weighting.probabilities,
    ):
        with pytest.raises(UserError, match="one logit per option"):
            use(torch.zeros(shape))
