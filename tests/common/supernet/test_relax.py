"""Mixtures, subsets of members, and recomputation."""

from random import Random
from typing import Any

import pytest
import torch
from torch import nn

from common.cost.memory import peak_memory
from common.errors import UserError
from common.layers import EmptySum, Sum
from common.space import Arch, ManyOf, OneOf, decisions, decode, sample
from common.supernet import Mixed, Subset, Supernet, choose, choose_inputs, choose_many, fmap, opened
from tests.common.supernet.cells import SPACE, Edge, EdgeModule, build, cell_space


def supernet(space: Any = SPACE) -> Supernet:
    torch.manual_seed(0)
    net = Supernet(build(opened(space)), space)
    for norm in net.module.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.running_mean.uniform_(-1, 1)
            norm.running_var.uniform_(0.5, 2)
    return net


def mixtures(net: Supernet) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    weights = {}
    for path in net.relaxable:
        decision = decisions(net.space)[path]
        weights[path] = torch.rand(len(decision.options), generator=generator, requires_grad=True)
    return weights


def image(n: int = 4) -> torch.Tensor:
    return torch.randn(n, 3, 6, 6, generator=torch.Generator().manual_seed(1))


# Subsets of members


def test_law_1_a_cell_extracts_exactly():
    net, rng = supernet(), Random(0)
    net.module.eval()
    for _ in range(30):
        arch = sample(SPACE, rng)
        net.activate(arch)
        network = net.extract(arch, build)
        assert torch.equal(net.module(image()), network(image()))
        assert not [m for m in network.modules() if type(m).__module__.startswith("common.supernet")]
        build(decode(SPACE, arch)).load_state_dict(network.state_dict(), strict=True)


def test_law_3_a_step_on_a_cell_leaves_the_rest_alone():
    net = supernet()
    for seed in range(6):
        arch = sample(SPACE, Random(seed))
        net.activate(arch)
        net.module.zero_grad(set_to_none=True)
        net.module(image()).square().sum().backward()
        touched = {n for n, p in net.module.named_parameters() if p.grad is not None}
        assert touched == {n for n, _ in net.active_parameters()}
        for i, node in enumerate(decode(SPACE, arch).nodes):
            taken = {edge.source: edge.operation for edge in node}
            for j in range(2 + i):
                inside = {n for n in touched if n.startswith(f"nodes.{i}.members.{j}.")}
                assert bool(inside) == (taken.get(j) == "conv3")


def test_settled_members_are_a_plain_sum_numbered_in_order():
    made = choose_many((2, 5), lambda k: nn.Linear(2, k))
    assert type(made) is Sum
    assert [key for key, _ in made.named_parameters()] == [f"members.{i}.{p}" for i in (0, 1) for p in ("weight", "bias")]
    twice = choose_many(("a", "b"), lambda _: nn.Linear(2, 3))
    x = torch.randn(4, 2)
    assert torch.equal(twice(x), twice.members[0](x) + twice.members[1](x))


def test_members_that_mean_the_same_stay_apart():
    subset = choose_many(opened((ManyOf((3, 3), 1, 2),))[0], lambda k: nn.Linear(2, k))
    assert isinstance(subset, Subset)
    assert len(subset.members) == 2 and subset.members[0] is not subset.members[1]


def test_a_sum_of_nothing_is_refused():
    with pytest.raises(EmptySum, match="at least one member"):
        choose_many((), lambda _: nn.Identity())
    space = (ManyOf(("a", "b"), 0, 1),)
    net = Supernet(choose_many(opened(space)[0], lambda _: nn.Identity()), space)
    net.activate(Arch({"0": 0}))
    for run in (lambda: net.module(image()), net.module.plain):
        with pytest.raises(UserError, match="decision '0' takes no member"):
            run()
    before = net.slots["0"].active
    with pytest.raises(UserError):
        net.extract(Arch({"0": 0}), lambda d: nn.Identity())
    assert net.slots["0"].active == before


def test_members_read_through_a_function_are_refused():
    with pytest.raises(UserError, match="give it the ManyOf itself"):
        choose_many(fmap(lambda taken: taken[:1], opened((ManyOf((1, 2), 1, 2),))[0]), lambda _: nn.Identity())


# Mixtures


def test_relaxable_decisions_come_in_the_spaces_order_without_those_that_run_one_at_a_time():
    from tests.common.supernet import networks

    assert supernet().relaxable == tuple(decisions(SPACE))
    net = Supernet(networks.build(opened(networks.SPACE)), networks.SPACE)
    assert net.relaxable == ("kernels.0", "kernels.1", "inputs", "position")


def test_a_mixed_cell_is_the_weighted_sum_of_weighted_sums():
    net = supernet(cell_space(1, ("conv3", "skip"), 1, 2))
    weights = mixtures(net)
    net.relax({path: Mixed(w) for path, w in weights.items()})
    node = net.module.nodes[0]
    states = [torch.randn(2, 4, 5, 5) for _ in range(2)]
    edges, *operations = weights.values()
    right = 0
    for j, (edge, operation) in enumerate(zip(node.members, operations, strict=True)):
        conv, skip = edge.operation.options
        right = right + edges[j] * (operation[0] * conv(states[j]) + operation[1] * skip(states[j]))
    given = node(states)
    torch.testing.assert_close(given, right)
    out = torch.randn_like(right)
    theirs = torch.autograd.grad((given * out).sum(), list(weights.values()), retain_graph=True)
    ours = torch.autograd.grad((right * out).sum(), list(weights.values()))
    torch.testing.assert_close(theirs, ours)


def test_options_that_share_a_module_are_computed_once_and_their_weights_add():
    ran: list[int] = []

    class Counted(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            ran.append(1)
            return 3 * x

    space = (OneOf(1, 2, 3),)
    choice = choose(fmap(lambda k: k > 2, opened(space)[0]), lambda big: nn.Identity() if big else Counted())
    net, weights = Supernet(choice, space), torch.tensor([0.5, 0.25, 2.0], requires_grad=True)
    net.relax({"0": Mixed(weights)})
    out = choice(torch.ones(2))
    out.sum().backward()
    assert ran == [1]
    assert out.tolist() == [0.75 * 3 + 2.0] * 2
    assert weights.grad.tolist() == [6.0, 6.0, 2.0]


@pytest.mark.parametrize("recompute", [False, True])
def test_what_is_not_live_is_not_computed_and_gets_no_gradient(recompute):
    net = supernet()
    weights = mixtures(net)
    net.relax({p: Mixed(w, (1, 0) if "operation" in p else (1,)) for p, w in weights.items()}, recompute)
    net.module(image()).square().sum().backward()
    touched = {n for n, p in net.module.named_parameters() if p.grad is not None}
    assert {n for n, _ in net.active_parameters()} - touched == {"stem.0.weight", "stem.0.bias"}  # which no live edge reads
    assert touched <= {n for n, _ in net.active_parameters()}
    assert {n.split(".")[3] for n in touched if n.startswith("nodes")} == {"1"}
    assert {n.split(".")[6] for n in touched if n.startswith("nodes")} == {"0"}
    edges = weights["nodes.0"].grad
    assert edges[0] == 0 and edges[1] != 0
    statistics = {n: b for n, b in net.module.named_buffers() if n.endswith("num_batches_tracked")}
    assert {int(b) for n, b in statistics.items() if ".members.1." in n} == {1}
    assert {int(b) for n, b in statistics.items() if ".members.1." not in n} == {0}


@pytest.mark.parametrize(
    ("mixed", "message"),
    [
        (Mixed(torch.ones(3), ()), "none of the 3 options of decision '.*' is live"),
        (Mixed(torch.ones(3), (0, 3)), "options 0 to 2; live 3 is not one"),
        (Mixed(torch.ones(3), (1, 1)), "live 1 .* named twice"),
        (Mixed(torch.ones(3), (-1,)), "live -1"),
        (Mixed(torch.ones(1, 3)), r"have shape \(1, 3\), not \(3,\)"),
        (Mixed(torch.ones(2)), "has 3 options, not 2"),
    ],
)
def test_mixtures_that_make_no_sense_are_refused_and_nothing_is_mixed(mixed, message):
    net = supernet()
    edges, operation = net.relaxable[:2]
    with pytest.raises(UserError, match=message):
        net.relax({edges: Mixed(torch.ones(2)), operation: mixed})
    assert all(slot.mixed is None for slot in net.slots.values())


def test_a_subset_is_mixed_by_member_not_by_subset():
    net = supernet(cell_space(3, ("conv3", "skip"), 2, 2))
    with pytest.raises(UserError, match=r"'nodes\.2' has 4 members, not 6"):
        net.relax({"nodes.2": Mixed(torch.ones(6))})


def test_activate_ends_the_mixtures_of_what_it_settles():
    net = supernet()
    net.relax({path: Mixed(w) for path, w in mixtures(net).items()})
    arch = sample(SPACE, Random(0))
    net.activate(arch)
    net.module.eval()
    assert torch.equal(net.module(image()), net.extract(arch, build)(image()))


def test_mixed_inputs_are_weighted_and_concatenated_ones_are_not_mixed():
    space = (ManyOf((0, 2, 1), 1, 2),)
    net = Supernet(choose_inputs(opened(space)[0]), space)
    weights = torch.tensor([2.0, 3.0, 5.0], requires_grad=True)
    tensors = [torch.full((2,), 10.0**i) for i in range(3)]
    net.relax({"0": Mixed(weights)})
    assert net.module(tensors).tolist() == [2 + 300 + 50] * 2
    net.relax({"0": Mixed(weights, (1,))})
    assert net.module(tensors).tolist() == [300] * 2
    net.activate(Arch({"0": 0}))
    assert net.module(tensors).tolist() == [1] * 2
    concat = Supernet(choose_inputs(opened(space)[0], "concat"), space)
    assert concat.relaxable == ()
    with pytest.raises(UserError, match="to concatenate"):
        concat.relax({"0": Mixed(weights)})


# Recomputation


class Block(nn.Sequential):
    def __init__(self, kernel: int, width: int = 4) -> None:
        conv = nn.Conv2d(width, width, kernel, padding=kernel // 2, bias=False)
        super().__init__(nn.ReLU(), conv, nn.BatchNorm2d(width), nn.Dropout(0.3))


def chain(options: int = 8, length: int = 6, width: int = 4) -> Supernet:
    space = tuple(OneOf(*(f"o{i}" for i in range(options))) for _ in range(length))
    torch.manual_seed(0)
    layers = [choose(d, lambda name: Block(1 + 2 * (int(name[1:]) % 3), width)) for d in opened(space)]
    return Supernet(nn.Sequential(nn.Conv2d(3, width, 1), *layers), space)


def run_twice(net: Supernet, x: torch.Tensor) -> list[list[torch.Tensor]]:
    """Output, gradients and buffers of a relaxed step, without and with recomputation."""
    results = []
    before = {n: b.clone() for n, b in net.module.state_dict().items()}
    for recompute in (False, True):
        net.module.load_state_dict(before)
        net.module.zero_grad(set_to_none=True)
        weights = mixtures(net)
        net.relax({p: Mixed(w) for p, w in weights.items()}, recompute)
        torch.manual_seed(5)
        out = net.module(x)
        out.square().mean().backward()
        torch.randn(1)
        gradients = [p.grad for p in [*net.module.parameters(), *weights.values()]]
        results.append([out.detach(), *gradients, *(b.clone() for b in net.module.buffers()), torch.randn(3)])
    return results


@pytest.mark.parametrize("make", [lambda: chain(3, 3), supernet])
def test_recomputed_values_gradients_statistics_and_random_numbers_are_the_same_bit_for_bit(make):
    plain, recomputed = run_twice(make(), image())
    assert all(torch.equal(a, b) for a, b in zip(plain, recomputed, strict=True))


def test_a_second_backward_pass_recomputes_once_more():
    net = chain(2, 2)
    weights = mixtures(net)
    net.relax({p: Mixed(w) for p, w in weights.items()}, recompute=True)
    loss = net.module(image()).square().mean()
    statistics = [b.clone() for b in net.module.buffers()]
    first = torch.autograd.grad(loss, list(weights.values()), retain_graph=True)
    second = torch.autograd.grad(loss, list(weights.values()))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(statistics, net.module.buffers(), strict=True))


def test_second_derivatives_of_a_recomputed_cell_are_the_same():
    """What second-order DARTS needs where it does not take a finite difference."""
    net, found = supernet(), []
    weights = mixtures(net)
    for recompute in (False, True):
        net.relax({p: Mixed(w.softmax(0)) for p, w in weights.items()}, recompute)
        parameters = [p for n, p in net.module.named_parameters() if "operation" in n]
        first = torch.autograd.grad(net.module(image()).square().mean(), parameters, create_graph=True)
        found.append(torch.autograd.grad(torch.stack([g.square().sum() for g in first]).sum(), list(weights.values())))
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))
    assert any(g.abs().max() > 0 for g in found[0])


def test_recomputation_goes_by_the_decisions_of_the_first_run():
    """Another path is set between the forward and the backward pass, as where a step accumulates several paths."""
    gradients = []
    for switch in (False, True):
        net = supernet()
        edges = {p: Mixed(torch.ones(len(decisions(SPACE)[p].options))) for p in net.relaxable if "operation" not in p}
        a, b = ({p: k for p in net.relaxable if "operation" in p} for k in (0, 1))
        net.activate(a)
        net.relax(edges, recompute=True)
        loss = net.module(image()).square().mean()
        if switch:
            net.activate(b)
        loss.backward()
        gradients.append([p.grad for p in net.module.parameters()])
        assert {slot.active for p, slot in net.slots.items() if "operation" in p} == {int(switch)}
    assert all((a is None) == (b is None) and (a is None or torch.equal(a, b)) for a, b in zip(*gradients, strict=True))
    assert any(g is not None for g in gradients[0][4:-2])


def test_a_list_of_states_may_grow_after_it_was_given():
    space = (ManyOf([Edge(0, "conv3"), Edge(-1, "conv3")], 1, 2),)
    torch.manual_seed(0)
    net = Supernet(choose_many(opened(space)[0], lambda edge: EdgeModule(edge, 4)), space)
    states = [torch.randn(2, 4, 5, 5) for _ in range(2)]
    net.relax({"0": Mixed(torch.ones(2))}, recompute=True)
    out = net.module(states)
    states.append(torch.zeros(2, 4, 5, 5))
    out.square().sum().backward()
    recomputed = [p.grad.clone() for p in net.module.parameters()]
    net.module.zero_grad()
    net.relax({"0": Mixed(torch.ones(2))})
    net.module(states[:2]).square().sum().backward()
    assert all(torch.equal(a, p.grad) for a, p in zip(recomputed, net.module.parameters(), strict=True))


def test_recomputed_memory_is_that_of_two_options_at_most():
    net, x = chain(width=8), torch.randn(4, 3, 16, 16)
    weights = mixtures(net)

    def peak(live: tuple[int, ...] | None, recompute: bool) -> int:
        def step() -> None:
            net.relax({p: Mixed(w, live) for p, w in weights.items()}, recompute)
            net.module(x).square().mean().backward()
            net.module.zero_grad(set_to_none=True)

        step()
        return peak_memory(step)

    two, every, recomputed = peak((0, 1), False), peak(None, False), peak(None, True)
    assert recomputed <= 1.5 * two
    assert every > 3 * two  # so that the bound above says something
