"""Gates that are 0 or 1: forward values and gradients against closed forms."""

import pytest
import torch
from scipy.stats import chisquare
from torch import Tensor, nn

from common.errors import UserError
from common.relax.gates import OneGate, OneHot, TwoGates
from common.relax.weightings import Weighting
from common.space import OneOf
from common.supernet import Supernet, choose, opened
from tests.common.relax.closed_forms import (
    LOGITS,
    G,
    P,
    close,
    first_of_pair_probabilities,
    leaf,
    noise,
    pulled,
    rng,
    softmax_pull,
)


def mixture(logits: Tensor, outputs: list[Tensor], target: Tensor, gates: Tensor) -> Tensor:
    return ((sum(g * o for g, o in zip(gates, outputs)) - target) ** 2).sum()


def test_one_gate_is_the_relaxed_mixture_at_a_corner():
    """The gates as leaves at the one-hot, the whole mixture differentiated, and the formula of the paper on top."""
    generator = torch.Generator().manual_seed(0)
    outputs = [torch.randn(7, generator=generator, dtype=torch.float64) for _ in range(5)]
    target = torch.randn(7, generator=generator, dtype=torch.float64)
    for step in range(5):
        logits = leaf()
        mixed = OneGate().weigh(logits, rng(step), 0.0)
        k = int((LOGITS + noise(5, step)).argmax())
        assert mixed.live is None  # dL/dg_j takes output j
        assert mixed.weights.tolist() == [float(i == k) for i in range(5)]
        gates = nn.functional.one_hot(torch.tensor(k), 5).double().requires_grad_()
        (dg,) = torch.autograd.grad(mixture(LOGITS, outputs, target, gates), gates)
        (got,) = torch.autograd.grad(mixture(LOGITS, outputs, target, mixed.weights), logits)
        expected = torch.stack(
            [sum((dg[j] * P[j] * (float(i == j) - P[i]) for j in range(5)), torch.tensor(0.0)) for i in range(5)]
        )
        assert close(got, expected)


def test_a_gate_in_a_supernet_runs_the_option_it_opens():
    torch.manual_seed(0)
    space = {"width": OneOf(1, 2, 3)}
    supernet = Supernet(choose(opened(space)["width"], lambda _: nn.Linear(4, 4)), space)
    x = torch.randn(2, 4)
    logits = torch.zeros(3).requires_grad_()
    mixed = OneGate().weigh(logits, rng(), 0.0)
    option = int(mixed.weights.argmax())
    supernet.activate({"width": option})
    alone = supernet.module(x)
    outputs = torch.stack([module(x) for module in supernet.module.options])
    assert torch.equal((mixed.weights[:, None, None] * outputs).sum(0), alone)


def test_two_gates():
    opened_first = set()
    for step in range(12):
        logits = leaf()
        generator = rng(step)
        noisy = LOGITS - (-torch.rand(5, generator=generator, dtype=torch.float64).log()).log()
        pair = sorted(noisy.argsort(descending=True)[:2].tolist())
        inner = LOGITS[pair] - (-torch.rand(2, generator=generator, dtype=torch.float64).log()).log()
        k = pair[int(inner.argmax())]
        opened_first.add(k == pair[0])
        mixed = TwoGates().weigh(logits, rng(step), 0.0)
        assert mixed.live == tuple(pair)
        assert mixed.weights.tolist() == [float(i == k) for i in range(5)]
        q = torch.zeros(5, dtype=torch.float64)
        q[pair] = P[pair] / P[pair].sum()
        pull = pulled(mixed, logits, G)
        assert close(pull, softmax_pull(q, G))
        assert [i for i in range(5) if pull[i] != 0] == pair
    assert opened_first == {True, False}


def test_two_gates_draw_pairs_and_open_one_as_the_paper_says():
    times, generator = 4000, rng(6)
    pairs, opened_one = [0] * 5, [0] * 5
    for _ in range(times):
        mixed = TwoGates().weigh(LOGITS, generator, 0.0)
        for i in mixed.live or ():
            pairs[i] += 1
        opened_one[int(mixed.weights.argmax())] += 1
    p = P.tolist()
    for i, expected in enumerate(first_of_pair_probabilities(p)):
        assert chisquare([pairs[i], times - pairs[i]], [times * expected, times * (1 - expected)]).pvalue > 0.01 / 5
    both = [[p[i] * p[j] / (1 - p[i]) + p[j] * p[i] / (1 - p[j]) if i != j else 0.0 for j in range(5)] for i in range(5)]
    first = [times * sum(both[i][j] * p[i] / (p[i] + p[j]) for j in range(5)) for i in range(5)]
    assert chisquare(opened_one, first).pvalue > 0.01


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_two_gates_keep_the_mass_of_the_pair_and_the_other_logits(dtype: torch.dtype):
    logits = leaf(LOGITS.to(dtype))
    optimizer = torch.optim.Adam([logits], lr=0.1, betas=(0.0, 0.999))
    for step in range(50):
        before, mass = logits.detach().clone(), logits.detach().double().softmax(0)
        mixed = TwoGates().weigh(logits, rng(step), 0.0)
        logits.grad = pulled(mixed, logits, G.to(dtype))
        optimizer.step()
        TwoGates().after_step(logits, before)
        pair = list(mixed.live or ())
        after = logits.detach().double().softmax(0)
        assert abs(float(after[pair].sum() - mass[pair].sum())) < 1e-6
        others = [i for i in range(5) if i not in pair]
        assert torch.equal(logits.detach()[others], before[others])
        assert not torch.equal(logits.detach()[pair], before[pair])
        assert close(after[others], mass[others], 1e-6)


def test_two_gates_settle_is_a_shift_of_the_logits_that_moved():
    before = LOGITS.clone()
    logits = before + torch.tensor([0.0, 0.4, 0.0, 0.0, -0.3], dtype=torch.float64)
    stepped = logits.clone()
    TwoGates().after_step(logits, before)
    shift = ((stepped[1].exp() + stepped[4].exp()) / (before[1].exp() + before[4].exp())).log()
    assert close(logits, stepped - torch.tensor([0.0, 1.0, 0.0, 0.0, 1.0], dtype=torch.float64) * shift)
    still = before.clone()
    TwoGates().after_step(still, before)
    assert torch.equal(still, before)


@pytest.mark.parametrize("weighting", [OneGate(), TwoGates()])
def test_gates_in_a_step_of_the_weights_compute_one_option(weighting: Weighting):
    seen = [0] * 5
    generator = rng(7)
    for _ in range(3000):
        mixed = weighting.weigh_frozen(LOGITS, generator, 0.0)
        assert mixed.live is not None and len(mixed.live) == 1
        assert mixed.weights.tolist() == [float(i in mixed.live) for i in range(5)]
        seen[mixed.live[0]] += 1
    assert chisquare(seen, (3000 * P).tolist()).pvalue > 0.01


def projection(values: list[float]) -> list[float]:
    """NASP's: into the box, then onto one non-zero entry, whose value is set to 1."""
    clipped = [min(max(v, 0.0), 1.0) for v in values]
    return [float(i == clipped.index(max(clipped))) for i in range(len(values))]


@pytest.mark.parametrize(
    "values", [[0.2, 0.9, 0.4], [-0.5, 0.1, 0.05], [1.7, 0.3, -2.0], [0.5, 0.5, 0.5], [0.4, 0.8, 0.8], [-1.0, -2.0, -3.0]]
)
def test_one_hot_is_clip_then_projection(values: list[float]):
    stored = torch.tensor(values, dtype=torch.float64)
    OneHot().after_step(stored, stored.clone())
    assert stored.tolist() == [min(max(v, 0.0), 1.0) for v in values]
    logits = leaf(stored)
    g = G[:3]
    mixed = OneHot().weigh(logits, rng(), 0.0)
    assert mixed.weights.tolist() == projection(values)
    assert mixed.live is None
    assert torch.equal(pulled(mixed, logits, g), g)  # straight through


def test_one_hot_equals_a_plain_weighted_sum_where_the_values_are_a_corner():
    generator = torch.Generator().manual_seed(1)
    outputs = [torch.randn(7, generator=generator, dtype=torch.float64) for _ in range(3)]
    target = torch.randn(7, generator=generator, dtype=torch.float64)
    corner = leaf(torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64))
    plain = torch.autograd.grad(mixture(corner, outputs, target, corner), corner)[0]
    logits = leaf(corner.detach())
    assert torch.equal(
        torch.autograd.grad(mixture(logits, outputs, target, OneHot().weigh(logits, rng(), 0.0).weights), logits)[0], plain
    )
    inside = leaf(torch.tensor([0.4, 0.6, 0.3], dtype=torch.float64))  # and elsewhere it is the gradient at the corner
    at_corner = torch.autograd.grad(mixture(inside, outputs, target, OneHot().weigh(inside, rng(), 0.0).weights), inside)[0]
    assert torch.equal(at_corner, plain)


def test_one_hot_takes_the_first_of_equals():
    assert OneHot().weigh(torch.full((4,), 0.5), rng(), 0.0).weights.tolist() == [1, 0, 0, 0]
    assert OneHot(keep=2).weigh(torch.full((4,), 0.5), rng(), 0.0).weights.tolist() == [1, 1, 0, 0]
    assert OneHot(keep=3).weigh_frozen(torch.full((40,), 0.5), rng(), 0.0).live == (0, 1, 2)
    assert OneHot(keep=2).weigh(torch.tensor([0.5, 0.7, 0.1, 0.5]), rng(), 0.0).weights.tolist() == [1, 1, 0, 0]


def test_one_hot_keeps_several_and_computes_them_alone_when_frozen():
    values = torch.tensor([0.1, 0.9, 0.3, 0.8], dtype=torch.float64)
    logits = leaf(values)
    mixed = OneHot(keep=2).weigh(logits, rng(), 0.0)
    assert mixed.weights.tolist() == [0, 1, 0, 1]
    assert torch.equal(pulled(mixed, logits, G[:4]), G[:4])
    frozen = OneHot(keep=2).weigh_frozen(logits, rng(), 0.0)
    assert frozen.weights.tolist() == [0, 1, 0, 1]
    assert frozen.live == (1, 3)
    assert OneHot(keep=2).weigh_frozen(values[:1], rng(), 0.0).live == (0,)  # no more than there are


@pytest.mark.parametrize("weighting", [TwoGates(), OneHot()])
def test_what_is_not_a_logit_per_option_is_not_moved(weighting: Weighting):
    with pytest.raises(UserError, match=r"logits of shape \(2, 3\): a decision takes one logit per option"):
        weighting.after_step(torch.zeros(2, 3), torch.zeros(2, 3))


def test_one_hot_values_beyond_the_box_count_as_its_edge():
    assert OneHot().probabilities(torch.tensor([-0.5, 0.25, 1.75])).tolist() == [0, 0.25, 1]
