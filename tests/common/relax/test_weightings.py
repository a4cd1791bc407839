"""Every weighting's forward value and gradient against a closed form, written here without the code under test."""

from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from scipy.integrate import quad
from scipy.stats import chisquare
from torch import Tensor, nn

from common.errors import UserError
from common.relax.gates import OneGate, OneHot, TwoGates
from common.relax.weightings import GumbelSoftmax, HardGumbel, Sigmoid, Softmax, Temperature, Weighting
from common.space import OneOf
from common.streams import torch_stream
from common.supernet import Supernet, choose, opened
from common.supernet.choice import Mixed

LOGITS = torch.tensor([0.3, -1.1, 0.8, 0.0, 1.7], dtype=torch.float64)
WARM = Temperature(start=0.7, end=0.7)
ALL: list[Weighting] = [
    Softmax(),
    Softmax(keep=0.5),
    Softmax(keep=0.5, drawn="proportional"),
    Sigmoid(),
    GumbelSoftmax(),
    HardGumbel(),
    OneGate(),
    TwoGates(),
    OneHot(),
    OneHot(keep=2),
]


def rng(step: int = 0) -> torch.Generator:
    return torch_stream(0, "relax", step)


def noise(n: int, step: int = 0) -> Tensor:
    """The Gumbel noise that the first draw of `rng(step)` gives."""
    return -(-torch.rand(n, generator=rng(step), dtype=torch.float64).log()).log()


def leaf(values: Tensor = LOGITS) -> Tensor:
    return values.clone().requires_grad_()


def pulled(mixed: Mixed, logits: Tensor, g: Tensor) -> Tensor:
    """dL/dlogits for dL/dweights = g on the options that are computed; nothing comes back from the others."""
    computed = torch.ones_like(g, dtype=torch.bool)
    if mixed.live is not None:
        computed = torch.zeros_like(computed)
        computed[list(mixed.live)] = True
    return torch.autograd.grad((mixed.weights[computed] * g[computed]).sum(), logits)[0]


def softmax_pull(p: Tensor, g: Tensor) -> Tensor:
    """sum_j g_j p_j (1{i=j} - p_i)."""
    return p * (g - (p * g).sum())


G = torch.tensor([0.5, -2.0, 1.5, 3.0, -0.7], dtype=torch.float64)
P = LOGITS.exp() / LOGITS.exp().sum()


def close(a: Tensor, b: Tensor, tolerance: float = 1e-12) -> bool:
    return bool(torch.allclose(a, b.to(a), rtol=0, atol=tolerance))


def test_softmax():
    logits = leaf()
    mixed = Softmax().weigh(logits, rng(), 0.0)
    assert mixed.live is None
    assert close(mixed.weights, P)
    assert close(pulled(mixed, logits, G), softmax_pull(P, G))


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


def first_of_pair_probabilities(p: list[float]) -> list[float]:
    """P(i is among two drawn one after the other without return)."""
    n = len(p)
    return [p[i] + sum(p[j] * p[i] / (1 - p[j]) for j in range(n) if j != i) for i in range(n)]


def counts(draws: Callable[[torch.Generator], tuple[int, ...]], times: int) -> list[int]:
    generator, seen = rng(1), [0] * 5
    for _ in range(times):
        for i in draws(generator):
            seen[i] += 1
    return seen


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
    for weighting in (GumbelSoftmax(temperature=WARM), HardGumbel(temperature=WARM), OneGate()):
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
        TwoGates().settle(logits, before)
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
    TwoGates().settle(logits, before)
    shift = ((stepped[1].exp() + stepped[4].exp()) / (before[1].exp() + before[4].exp())).log()
    assert close(logits, stepped - torch.tensor([0.0, 1.0, 0.0, 0.0, 1.0], dtype=torch.float64) * shift)
    still = before.clone()
    TwoGates().settle(still, before)
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
    OneHot().settle(stored, stored.clone())
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


def test_probabilities():
    values = torch.tensor([0.2, 1.0, 0.0], dtype=torch.float64)
    assert torch.equal(OneHot().probabilities(values), values)
    assert close(Sigmoid().probabilities(LOGITS), 1 / (1 + (-LOGITS).exp()))
    costs = torch.tensor([3.0, 1.0, 4.0, 1.0, 5.0], dtype=torch.float64)
    for weighting in (Softmax(), Softmax(keep=0.5), GumbelSoftmax(), HardGumbel(), OneGate(), TwoGates()):
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
    weighting.settle(logits, LOGITS)
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
