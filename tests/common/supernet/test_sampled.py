"""Mixtures with one live option of decisions that set a width: values, gradients, what is refused and what stays untouched."""

from dataclasses import dataclass
from itertools import product
from random import Random
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from common.errors import UserError
from common.layers import Scale, Shift
from common.space import Arch, ManyOf, OneOf, decisions, decode
from common.supernet import Mixed, Supernet, choose, choose_inputs, conv2d, fmap, linear, opened, scale, shift
from tests.common.supernet import networks

WIDTHS = (2, 3, 5)


@dataclass(frozen=True)
class Wide:
    width: Any


class Attending(nn.Module):
    """A width that two linear layers, a scaling and a bias of their own and a head read."""

    def __init__(self, net: Wide) -> None:
        super().__init__()
        self.hidden = linear(3, net.width)
        self.again = linear(3, net.width, bias=False)
        self.scale = scale(net.width, 0.5)
        self.shift = shift(net.width)
        self.head = linear(net.width, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.tanh(self.shift(self.scale(self.hidden(x)) * self.again(x))))


class Convolving(nn.Module):
    """A width that two convolutions, one after the other, read."""

    def __init__(self, net: Wide) -> None:
        super().__init__()
        self.first = conv2d(3, net.width, 3)
        self.second = conv2d(net.width, net.width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(torch.relu(self.first(x))).sum((1, 2, 3))


SPACE = Wide(OneOf(*WIDTHS))


def supernet(make: Any = Attending) -> Supernet:
    torch.manual_seed(0)
    return Supernet(make(opened(SPACE)).double(), SPACE)


def inputs(make: Any) -> Tensor:
    shape = (4, 3, 5, 5) if make is Convolving else (4, 3)
    return torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def one_hot(n: int, live: int) -> Mixed:
    weights = torch.zeros(n, dtype=torch.float64)
    weights[live] = 1
    return Mixed(weights.requires_grad_(), (live,))


# Values and gradients


def attending(p: dict[str, Tensor], n: int, x: Tensor) -> tuple[list[Tensor], Tensor]:
    """What the two linear layers give, and the output, in plain torch."""
    hidden = F.linear(x, p["hidden.weight"][:n], p["hidden.bias"][:n])
    again = F.linear(x, p["again.weight"][:n])
    inside = torch.tanh(p["scale.weight"][:n] * hidden * again + p["shift.bias"][:n])
    return [hidden, again], F.linear(inside, p["head.weight"][:, :n], p["head.bias"])


def convolving(p: dict[str, Tensor], n: int, x: Tensor) -> tuple[list[Tensor], Tensor]:
    first = F.conv2d(x, p["first.weight"][:n], p["first.bias"][:n], padding=1)
    second = F.conv2d(first.relu(), p["second.weight"][:n, :n], p["second.bias"][:n])
    return [first, second], second.sum((1, 2, 3))


@pytest.mark.parametrize(("make", "plainly"), [(Attending, attending), (Convolving, convolving)])
@pytest.mark.parametrize("live", range(len(WIDTHS)))
@pytest.mark.parametrize("recompute", [False, True])
def test_a_sampled_width_runs_that_width_and_learns_by_what_its_layers_give(make, plainly, live, recompute):
    net, x = supernet(make), inputs(make)
    net.activate(Arch({"width": live}))
    alone = net.module(x)
    net.activate(Arch({"width": (live + 1) % 3}))
    mixed = one_hot(3, live)
    net.relax({"width": mixed}, recompute)
    out = net.module(x)
    assert torch.equal(out, alone)

    upstream = torch.randn(out.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    (pull,) = torch.autograd.grad(out, mixed.weights, upstream)
    parts, plain = plainly(dict(net.module.named_parameters()), WIDTHS[live], x)
    pulls = torch.autograd.grad(plain, parts, upstream)
    expected = sum(float((g * part.detach()).sum()) for g, part in zip(pulls, parts, strict=True))
    assert pull[live].item() == pytest.approx(expected, abs=1e-12) and abs(expected) > 1e-3
    assert not pull[torch.arange(3) != live].any()


def test_frozen_weights_leave_values_and_gradients_as_they_are():
    net, x = supernet(), inputs(Attending)
    results = []
    for set_to in (
        lambda: net.activate(Arch({"width": 1})),
        lambda: net.relax({"width": Mixed(torch.tensor([0.0, 1, 0], dtype=torch.float64), (1,))}),
    ):
        net.activate(Arch({"width": 0}))
        net.module.zero_grad(set_to_none=True)
        set_to()
        out = net.module(x)
        out.square().sum().backward()
        results.append([out.detach(), *(p.grad.clone() for p in net.module.parameters())])
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def whole(seed: int) -> tuple[Supernet, Arch, dict[str, Mixed]]:
    """A supernet with every kind of decision; an arch, active in it; and mixtures of the sampled ones that mean the same.

    The head reads one input, the end of the chain, so that nothing active is without effect.
    """
    torch.manual_seed(0)
    net = Supernet(networks.build(opened(networks.SPACE)), networks.SPACE)
    rng = Random(seed)
    known = decisions(networks.SPACE)
    arch = {path: rng.randrange(len(decision)) for path, decision in known.items()} | {"inputs": networks.SPACE.inputs.rank((2,))}
    net.activate(arch)
    mixed = {}
    for path in net.sampled:
        n = len(known[path].options)
        live = 2 if path == "inputs" else arch[path]
        weights = torch.zeros(n)
        weights[live] = 1
        mixed[path] = Mixed(weights.requires_grad_(), (live,))
    return net, Arch(arch), mixed


def test_what_can_be_sampled_is_what_can_be_relaxed_and_the_widths():
    net, *_ = whole(0)
    known = decisions(networks.SPACE)
    assert net.relaxable == ("kernels.0", "kernels.1", "inputs", "position")
    assert net.sampled == tuple(path for path in known if path not in ("elastic_kernel", "deep.count"))
    assert {"width", "features", "deep.0", "deep.1"} == set(net.sampled) - set(net.relaxable)


@pytest.mark.parametrize("seed", range(6))
def test_everything_sampled_at_once_is_the_active_path(seed):
    net, arch, mixed = whole(seed)
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
    net.module.eval()
    alone = net.module(x)
    net.activate({path: (i + 1) % 2 for path, i in arch.items() if path in net.sampled})
    net.relax(mixed)
    out = net.module(x)
    assert torch.equal(out, alone)
    out.square().sum().backward()
    for path, mixture in mixed.items():
        idle = mixture.weights.grad is None
        assert idle == (path.startswith("deep.") and int(path[-1]) >= arch["deep.count"])
        assert idle or mixture.weights.grad[mixture.live[0]] != 0
    assert {n for n, p in net.module.named_parameters() if p.grad is not None} == {n for n, _ in net.active_parameters()}
    net.activate(arch)
    assert {n for n, p in net.module.named_parameters() if p.grad is not None} == {n for n, _ in net.active_parameters()}


def test_extracting_leaves_a_sampled_mixture_as_it_was():
    net, x = supernet(), inputs(Attending)
    net.relax({"width": one_hot(3, 2)})
    before = net.module(x)
    narrow = net.extract(Arch({"width": 0}), Attending)
    assert narrow.hidden.weight.shape == (2, 3)
    assert torch.equal(net.module(x), before)
    assert net.slots["width"].mixed is not None


# Decisions that are read together


class Times(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(float(factor), dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * x


class Together(nn.Module):
    """Two decisions, each of which chooses a factor by itself, and both of them one more factor and a width."""

    def __init__(self, pair: tuple[Any, Any]) -> None:
        super().__init__()
        a, b = pair
        self.first, self.second = choose(a, Times), choose(b, Times)
        self.both = choose(fmap(lambda a, b: 10 * a + b, a, b), Times)
        self.wide = linear(1, fmap(lambda a, b: a * b, a, b), bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.wide(self.both(self.second(self.first(x))))


PAIR = (OneOf(2, 3), OneOf(5, 7))


@pytest.mark.parametrize(("i", "j"), list(product(range(2), range(2))))
def test_decisions_read_together_run_the_live_options(i, j):
    net = Supernet(Together(opened(PAIR)).double(), PAIR)
    assert net.relaxable == () and net.sampled == ("0", "1")
    mixed = {"0": one_hot(2, i), "1": one_hot(2, j)}
    net.activate(Arch({"0": 1 - i, "1": 1 - j}))
    net.relax(mixed)
    a, b = PAIR[0].options[i], PAIR[1].options[j]
    x = torch.ones(1, 1, dtype=torch.float64)
    out = net.module(x)
    factor = a * b * (10 * a + b)
    torch.testing.assert_close(out, factor * net.module.wide.weight[: a * b].T, rtol=1e-12, atol=0)
    out.sum().backward()
    assert mixed["0"].weights.grad[i].item() == pytest.approx(out.sum().item())  # the output is linear in either weight
    assert mixed["1"].weights.grad[j].item() == pytest.approx(out.sum().item())
    assert mixed["0"].weights.grad[1 - i] == 0 == mixed["1"].weights.grad[1 - j]
    active = {n for n, _ in net.active_parameters()}
    assert active == {
        f"first.options.{i}.factor",
        f"second.options.{j}.factor",
        f"both.options.{2 * i + j}.factor",
        "wide.weight",
    }
    assert active == {n for n, p in net.module.named_parameters() if p.grad is not None}


def test_a_width_of_two_decisions_alone_cannot_be_sampled():
    net = Supernet(linear(1, fmap(lambda a, b: a * b, *opened(PAIR))), PAIR)
    assert net.sampled == ()
    with pytest.raises(UserError, match=r"'1' .* read together with others .*; activate its options instead"):
        net.relax({"1": one_hot(2, 0)})


# What is refused


@pytest.mark.parametrize(
    ("path", "mixture", "message"),
    [
        ("width", Mixed(torch.ones(3), (0, 1)), "'width' sets a width.*; sample one option at a time"),
        ("width", Mixed(torch.ones(3)), "'width' sets a width.*; sample one option at a time"),
        ("features", Mixed(torch.ones(2), ()), "'features' sets a width.*; sample one option at a time"),
        ("elastic_kernel", Mixed(torch.ones(2), (1,)), "'elastic_kernel' sets a width, a kernel.*; activate its options instead"),
        ("deep.count", Mixed(torch.ones(3), (1,)), r"'deep\.count' .* a depth.*; activate its options instead"),
        ("width", Mixed(torch.ones(2), (1,)), "'width' has 3 options, not 2"),
        ("width", Mixed(torch.ones(3), (3,)), "'width' has options 0 to 2; live 3 is not one"),
        ("width", Mixed(torch.ones(3, 1), (0,)), r"'width' have shape \(3, 1\), not \(3,\)"),
    ],
)
def test_mixtures_that_no_layer_can_run_are_refused_and_nothing_is_set(path, mixture, message):
    net, arch, mixed = whole(3)
    with pytest.raises(UserError, match=message):
        net.relax({**{p: m for p, m in mixed.items() if p != path}, path: mixture})
    assert all(slot.mixed is None and slot.active == arch[p] for p, slot in net.slots.items())


def test_a_subset_that_some_module_runs_whole_cannot_be_sampled():
    class Both(nn.Module):
        def __init__(self, taken: Any) -> None:
            super().__init__()
            self.summed, self.joined = choose_inputs(taken), choose_inputs(taken, "concat")

    space = (ManyOf((0, 1, 2), 1, 2),)
    net = Supernet(Both(opened(space)[0]), space)
    assert net.sampled == ()
    with pytest.raises(UserError, match="to concatenate, and cannot be relaxed to a weighted sum; activate its options instead"):
        net.relax({"0": Mixed(torch.ones(3), (1,))})


# Scalings and biases, and what a step leaves alone


def test_settled_scalings_and_biases_are_plain():
    torch.manual_seed(0)
    plain = scale(400, 0.25)
    assert type(plain) is Scale and 0.2 < float(plain.weight.detach().abs().max()) <= 0.25
    assert type(shift(3)) is Shift and shift(3).bias.tolist() == [0, 0, 0]
    x = torch.randn(2, 5, 400)
    assert torch.equal(plain(x), x * plain.weight)
    widest = scale(opened(SPACE).width, 0.25)
    assert widest.weight.shape == (max(WIDTHS),) and float(widest.weight.detach().abs().max()) <= 0.25


def test_law_1_scalings_and_biases_extract_exactly():
    net, x = supernet(), inputs(Attending)
    with torch.no_grad():
        net.module.shift.bias.uniform_(-1, 1)
    for i, n in enumerate(WIDTHS):
        arch = Arch({"width": i})
        net.activate(arch)
        network = net.extract(arch, lambda settled: Attending(settled).double())
        assert torch.equal(net.module(x), network(x))
        assert torch.equal(network.scale.weight, net.module.scale.weight[:n])
        assert torch.equal(network.shift.bias, net.module.shift.bias[:n])
        assert not [m for m in network.modules() if type(m).__module__.startswith("common.supernet")]
        Attending(decode(SPACE, arch)).double().load_state_dict(network.state_dict(), strict=True)


OPTIMISERS = [
    lambda ps: torch.optim.SGD(ps, 0.1, momentum=0.9, weight_decay=0.1),
    lambda ps: torch.optim.Adam(ps, 0.1, weight_decay=0.1, fused=True),
    lambda ps: torch.optim.AdamW(ps, 0.1, weight_decay=0.1),
]


def idle(name: str, tensor: Tensor, n: int) -> Tensor:
    """Where a tensor of the shape of a parameter of `Attending` lies outside width n."""
    mask = torch.zeros_like(tensor, dtype=torch.bool)
    if name == "head.weight":
        mask[:, n:] = True
    elif name != "head.bias":
        mask[n:] = True
    return mask


def step(net: Supernet, optimizer: torch.optim.Optimizer, live: int) -> None:
    optimizer.zero_grad(set_to_none=True)
    net.relax({"width": Mixed(torch.eye(3, dtype=torch.float64)[live], (live,))})
    net.module(inputs(Attending)).square().sum().backward()
    with net.idle_protected(optimizer):
        optimizer.step()


def state_of(net: Supernet, optimizer: torch.optim.Optimizer) -> dict[tuple[str, str], Tensor]:
    """Parameters and their momenta."""
    found = {}
    for name, parameter in net.module.named_parameters():
        found[name, ""] = parameter.detach().clone()
        state = optimizer.state[parameter].items()
        found |= {(name, key): value.clone() for key, value in state if value.shape == parameter.shape}
    return found


@pytest.mark.parametrize("make_optimizer", OPTIMISERS)
def test_law_3_a_step_at_a_sampled_width_leaves_the_wider_entries_alone(make_optimizer):
    net = supernet()
    optimizer = make_optimizer(net.module.parameters())
    for live in (2, 1, 2):
        step(net, optimizer, live)  # so that there is momentum everywhere
    for live, n in enumerate(WIDTHS):
        before = state_of(net, optimizer)
        step(net, optimizer, live)
        after = state_of(net, optimizer)
        assert {key for _, key in after} > {""}
        for (name, key), old in before.items():
            mask = idle(name, old, n)
            assert mask.any() == (n < 5 and name != "head.bias")
            assert torch.equal(after[name, key][mask], old[mask]), (name, key)
            assert (after[name, key][~mask] != old[~mask]).any(), (name, key)


@pytest.mark.parametrize("forgets", [True, False])
def test_regions_of_a_forward_pass_that_no_step_follows_can_be_forgotten(forgets):
    """As in a step of the logits: what it ran is idle in the next step of the weights."""
    net = supernet()
    optimizer = OPTIMISERS[0](net.module.parameters())
    step(net, optimizer, 2)
    net.relax({"width": one_hot(3, 2)})
    net.module(inputs(Attending)).square().sum().backward()
    if forgets:
        net.forget()
    before = state_of(net, optimizer)
    step(net, optimizer, 0)
    after = state_of(net, optimizer)
    kept = {torch.equal(after[key][mask], old[mask]) for key, old in before.items() if (mask := idle(key[0], old, 2)).any()}
    assert kept == {forgets}, "momentum and decay move what is not protected"
