from dataclasses import dataclass
from random import Random
from typing import Any

import pytest
import torch
from torch import nn

from common.errors import UserError
from common.space import Arch, ManyOf, OneOf, decode, sample
from common.supernet import Mixed, Supernet, batch_norm, choose, conv2d, fmap, linear, opened
from common.supernet.choice import Choice
from tests.common.supernet.networks import LITTLE, SPACE, build


def supernet(space: Any = SPACE, make: Any = build) -> Supernet:
    torch.manual_seed(0)
    net = Supernet(make(opened(space)), space)
    for norm in net.module.modules():  # statistics that differ per channel, so that a wrong slice shows
        if isinstance(norm, nn.BatchNorm2d):
            norm.running_mean.uniform_(-1, 1)
            norm.running_var.uniform_(0.5, 2)
            norm.weight.data.uniform_(0.5, 2)
    return net


def test_extracted_network_is_the_active_path_bit_for_bit_and_plain():
    net, x, rng = supernet(), torch.randn(2, 3, 8, 8), Random(0)
    net.module.eval()
    for _ in range(40):
        arch = sample(SPACE, rng)
        net.activate(arch)
        network = net.extract(arch, build)
        assert torch.equal(net.module(x), network(x))
        assert not [m for m in network.modules() if type(m).__module__.startswith("common.supernet")]
        build(decode(SPACE, arch)).load_state_dict(network.state_dict(), strict=True)


def test_extracting_leaves_the_supernet_as_it_was():
    net, x = supernet(), torch.randn(2, 3, 8, 8)
    net.module.eval()
    a, b = (sample(SPACE, Random(seed)) for seed in (1, 2))
    net.activate(a)
    before = net.module(x)
    net.extract(b, build)
    assert torch.equal(net.module(x), before)


def test_extracted_weights_are_copies():
    net = supernet()
    arch = sample(SPACE, Random(3))
    network = net.extract(arch, build)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(1)
    fresh = net.extract(arch, build)
    assert all(not torch.equal(p, q) for p, q in zip(network.parameters(), fresh.parameters(), strict=True))


def test_options_that_mean_the_same_share_a_module():
    @dataclass(frozen=True)
    class Positions:
        at: Any

    from common.supernet import fmap

    net = opened(Positions(OneOf(0, 1, 2, 3)))
    choices = [choose(fmap(lambda p, i=i: p == i, net.at), lambda d: nn.Identity()) for i in range(4)]
    assert [len(c.options) for c in choices if isinstance(c, Choice)] == [2, 2, 2, 2]


def test_true_and_one_are_different_meanings():
    net = opened((OneOf(True, 1),))
    choice = choose(net[0], lambda v: nn.Conv2d(1, 2 if v is True else 3, 1))
    assert isinstance(choice, Choice)
    assert len(choice.options) == 2


def test_a_build_that_names_parts_differently_is_told_so():
    class Odd(nn.Module):
        def __init__(self, width: Any) -> None:
            super().__init__()
            self.add_module("plain" if isinstance(width, int) else "elastic", conv2d(3, width, 1))

    space = (OneOf(2, 4),)
    net = Supernet(Odd(opened(space)[0]), space)
    with pytest.raises(UserError, match="names its parts differently"):
        net.extract(Arch({"0": 0}), lambda d: Odd(d[0]))


OPTIMISERS = [
    lambda ps: torch.optim.SGD(ps, 0.1, momentum=0.9, weight_decay=0.1),
    lambda ps: torch.optim.AdamW(ps, 0.1, weight_decay=0.1),
]


@pytest.mark.parametrize("make_optimizer", OPTIMISERS)
def test_a_step_changes_nothing_outside_its_path(make_optimizer):
    """Law 3, on elastic slices, choices and depth; the optimiser already holds momentum for everything."""
    net = supernet(LITTLE)
    optimizer = make_optimizer(net.module.parameters())
    rng = Random(5)

    def step(arch: Arch) -> None:
        optimizer.zero_grad(set_to_none=True)
        net.activate(arch)
        net.module(torch.randn(4, 3, 4, 4)).square().sum().backward()
        with net.idle_protected(optimizer):
            optimizer.step()

    for _ in range(8):
        step(sample(LITTLE, rng))
    for seed in range(2):
        arch = sample(LITTLE, Random(seed))
        before = {n: p.detach().clone() for n, p in net.module.named_parameters()}
        state = {n: {k: v.clone() for k, v in optimizer.state[p].items()} for n, p in net.module.named_parameters()}
        step(arch)
        active = active_regions(net, arch)
        for name, parameter in net.module.named_parameters():
            idle = ~active[name]
            assert torch.equal(parameter[idle], before[name][idle]), name
            for key, old in state[name].items():
                if old.shape == parameter.shape:
                    assert torch.equal(optimizer.state[parameter][key][idle], old[idle]), (name, key)
        moved = [n for n, p in net.module.named_parameters() if not torch.equal(p, before[n])]
        assert moved


@pytest.mark.parametrize("make_optimizer", OPTIMISERS)
def test_a_clipped_step_on_several_paths_changes_nothing_outside_all_of_them(make_optimizer):
    """Fair and sandwich steps: what is used is the union of the paths' regions, no rectangle."""
    net, rng = supernet(LITTLE), Random(11)
    optimizer = make_optimizer(net.module.parameters())

    def step(archs: list[Arch]) -> None:
        optimizer.zero_grad(set_to_none=True)
        for arch in archs:
            net.activate(arch)
            net.module(torch.randn(4, 3, 4, 4)).square().sum().backward()
        nn.utils.clip_grad_norm_(net.module.parameters(), 0.1)
        with net.idle_protected(optimizer):
            optimizer.step()

    for _ in range(8):  # so that there is momentum everywhere
        step([sample(LITTLE, rng)])
    narrow = Arch({**sample(LITTLE, Random(1)), "width": 0, "kernels.0": 0})
    for archs in ([narrow, sample(LITTLE, Random(2))], [narrow, Arch({**narrow, "features": 1 - narrow["features"]})]):
        before = {n: p.detach().clone() for n, p in net.module.named_parameters()}
        state = {n: {k: v.clone() for k, v in optimizer.state[p].items()} for n, p in net.module.named_parameters()}
        step(archs)
        used = [active_regions(net, arch) for arch in archs]
        idle = {n: ~torch.stack([regions[n] for regions in used]).any(0) for n in before}
        assert any(mask.any() for mask in idle.values())
        for name, parameter in net.module.named_parameters():
            assert torch.equal(parameter[idle[name]], before[name][idle[name]]), name
            for key, old in state[name].items():
                if old.shape == parameter.shape:
                    assert torch.equal(optimizer.state[parameter][key][idle[name]], old[idle[name]]), (name, key)


@pytest.mark.parametrize("make_optimizer", OPTIMISERS)
def test_the_first_step_leaves_no_momentum_in_idle_slices(make_optimizer):
    space = (OneOf(2, 6),)
    net = Supernet(nn.Sequential(conv2d(3, opened(space)[0], 1)), space)
    optimizer = make_optimizer(net.module.parameters())
    net.activate(Arch({"0": 0}))
    net.module(torch.randn(2, 3, 4, 4)).sum().backward()
    with net.idle_protected(optimizer):
        optimizer.step()
    weight = next(net.module.parameters())
    tensors = [v for v in optimizer.state[weight].values() if isinstance(v, torch.Tensor) and v.shape == weight.shape]
    assert tensors
    assert all(not v[2:].any() for v in tensors)


def active_regions(net: Supernet, arch: Arch) -> dict[str, torch.Tensor]:
    """An oracle that knows nothing of regions: what of each weight, index by index along every axis, reaches the output."""
    module = net.module
    net.activate(arch)
    x = torch.randn(2, 3, 4, 4)
    regions = {}
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            old = parameter.clone()
            region = torch.ones_like(parameter, dtype=torch.bool)
            for axis, n in enumerate(parameter.shape):
                for i in range(n):
                    parameter.select(axis, i).fill_(float("nan"))
                    if not module(x).isnan().any():
                        region.select(axis, i).fill_(False)
                    parameter.copy_(old)
            regions[name] = region
    return regions


def test_active_parameters_are_those_with_a_gradient():
    net = supernet()
    last = SPACE.inputs.rank((2,))  # the head reads the end of the chain, so that nothing active is without effect
    for seed in range(10):
        net.activate(Arch({**sample(SPACE, Random(seed)), "inputs": last}))
        net.module.zero_grad(set_to_none=True)
        net.module(torch.randn(2, 3, 8, 8)).sum().backward()
        assert {n for n, _ in net.active_parameters()} == {n for n, p in net.module.named_parameters() if p.grad is not None}


def test_relaxed_choice_is_the_weighted_sum_and_its_gradient():
    space = (OneOf(1, 3),)
    torch.manual_seed(0)
    choice = choose(opened(space)[0], lambda k: nn.Conv2d(2, 2, k, padding=k // 2))
    assert isinstance(choice, Choice)
    net, x = Supernet(choice, space), torch.randn(1, 2, 5, 5)
    weights = torch.tensor([0.25, 0.75], requires_grad=True)
    net.relax({"0": Mixed(weights)})
    parts = [option(x) for option in choice.options]
    out = choice(x)
    torch.testing.assert_close(out, 0.25 * parts[0] + 0.75 * parts[1])
    out.sum().backward()
    torch.testing.assert_close(weights.grad, torch.stack([part.sum() for part in parts]))
    net.activate(Arch({"0": 1}))
    assert torch.equal(choice(x), parts[1])


def test_a_weight_that_is_not_1_scales_the_only_live_option():
    space = (OneOf(1, 3),)
    torch.manual_seed(0)
    net, x = Supernet(choose(opened(space)[0], lambda k: nn.Conv2d(2, 2, k, padding=k // 2)), space), torch.randn(1, 2, 5, 5)
    net.activate(Arch({"0": 1}))
    alone = net.module(x)
    for weight in (0.5, 1.0):
        net.relax({"0": Mixed(torch.tensor([0.0, weight]), (1,))})
        assert torch.equal(net.module(x), weight * alone)


def test_an_active_parameter_that_two_parts_share_is_named_once():
    space = (OneOf(2, 4),)
    one, other = linear(3, opened(space)[0]), nn.Linear(3, 4)
    other.weight = one.weight
    net = Supernet(nn.ModuleDict({"one": one, "other": other}), space)
    assert [name for name, _ in net.active_parameters()] == ["one.weight", "one.bias", "other.bias"]


def test_decisions_that_are_no_weighted_sum_are_not_relaxed():
    net = supernet()
    weights = {
        path: Mixed(torch.ones(n)) for path, n in (("width", 3), ("elastic_kernel", 2), ("deep.count", 3), ("kernels.0", 3))
    }
    for path in ("width", "elastic_kernel", "deep.count"):
        with pytest.raises(UserError, match=f"'{path}' sets a width, a kernel or a depth"):
            net.relax({"kernels.0": weights["kernels.0"], path: weights[path]})
    with pytest.raises(UserError, match="'nope'"):
        net.relax({"nope": weights["width"]})
    with pytest.raises(UserError, match=r"'kernels\.0' has 3 options, not 2"):
        net.relax({"kernels.0": Mixed(torch.ones(2))})
    assert all(slot.mixed is None for slot in net.slots.values())


def test_a_decision_read_together_with_another_is_not_relaxed():
    space = (OneOf(1, 3), OneOf(0, 1))
    both = fmap(lambda k, d: (k, d), *opened(space))
    net = Supernet(choose(both, lambda _: nn.Identity()), space)
    with pytest.raises(UserError, match=r"'1' .* read together with others"):
        net.relax({"1": Mixed(torch.ones(2))})


@pytest.mark.parametrize("make", [lambda w: conv2d(3, w, 3), lambda w: linear(3, w), batch_norm])
def test_settled_constructors_return_plain_torch_layers(make):
    assert type(make(8)).__module__.startswith("torch.nn")


def test_widest_elastic_network_equals_the_plain_one():
    from common.supernet import extreme

    net, x = supernet(), torch.randn(2, 3, 8, 8)
    net.module.eval()
    arch = extreme(SPACE, largest=True)
    net.activate(arch)
    plain = net.extract(arch, build)
    assert torch.equal(plain(x), net.module(x))
    shared = dict(net.module.named_parameters())
    assert all(torch.equal(p, shared[n]) for n, p in plain.named_parameters() if n in shared)


def test_activate_is_fast():
    from time import perf_counter

    space = tuple(OneOf(0, 1, 2, 3) for _ in range(40))
    net = Supernet(nn.Sequential(*(choose(d, lambda _: nn.Identity()) for d in opened(space))), space)
    archs = [sample(space, Random(i)) for i in range(200)]
    start = perf_counter()
    for arch in archs:
        net.activate(arch)
    assert (perf_counter() - start) / len(archs) < 1e-3  # the bench states the real figure


@pytest.mark.parametrize(
    ("inside", "given"),
    [
        (OneOf("relu", "gelu"), OneOf("gelu", "relu")),
        (OneOf(8, 16), OneOf(8, 16, 32)),
        (OneOf(8, 16), OneOf(8, 32)),
        (OneOf(8, 16), OneOf(8)),
        (ManyOf((1, 2, 3), 1, 2), ManyOf((1, 2, 3), 1, 3)),
    ],
)
def test_a_space_of_other_options_than_the_modules_is_refused(inside, given):
    module = choose(opened({"act": inside})["act"], lambda _: nn.Linear(2, 2))
    with pytest.raises(
        UserError, match=r"decision 'act' has the options .* in the module and .* in the space; give the space that"
    ):
        Supernet(module, {"act": given})


def test_a_build_function_in_the_place_of_a_network_is_refused():
    with pytest.raises(UserError, match=r"Supernet takes the network, an nn\.Module, not build; give build"):
        Supernet(build, SPACE)


@pytest.mark.parametrize("arch", [None, [0, 1], 3])
def test_what_is_no_architecture_is_refused(arch):
    with pytest.raises(UserError, match="activate takes an architecture, decision path -> number of an option, not "):
        supernet(LITTLE).activate(arch)


@pytest.mark.parametrize("option", ["1", 1.0, None])
def test_options_are_whole_numbers(option):
    net = supernet({"act": OneOf(1, 2)}, lambda net: choose(net["act"], lambda n: nn.Linear(2, n)))
    with pytest.raises(UserError, match=r"decision 'act' has options 0 to 1, not "):
        net.activate({"act": option})
    net.activate({"act": torch.tensor(1).numpy()[()]})
    assert net.slots["act"].active == 1
