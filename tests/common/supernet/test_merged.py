"""Merged kernels give the mixture exactly where what is merged is linear (MergeNAS), and one option is itself."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from common.layers import Convolved
from common.space import OneOf
from common.supernet import Supernet, opened
from common.supernet.merged import Merged, choose_merged, embedded
from common.supernet.open import Mixed

KERNELS = {"conv3": (3, 1), "conv5": (5, 1), "dil3": (3, 2), "dil5": (5, 2)}


def make(groups, stride=1, wide=6):
    def one(name, after):
        if name not in KERNELS:
            return nn.AvgPool2d(3, stride, 1) if name == "pool" else nn.Identity()
        kernel, dilation = KERNELS[name]
        conv = nn.Conv2d(6, wide, kernel, stride, dilation * (kernel // 2), dilation, groups=groups, bias=False)
        return Convolved(nn.ReLU(), conv, after)

    return one


def net(names, groups=6, stride=1, after=nn.Identity):
    space = OneOf(*names)
    torch.manual_seed(0)
    module = choose_merged(opened(space, "op"), make(groups, stride), after)
    assert isinstance(module, Merged)
    return module


def mixed(module, weights, live=None):
    slot = module.decisions[0].slots[0]
    slot.mixed = Mixed(weights, live)
    return slot


@pytest.mark.parametrize("groups", [6, 1])
@pytest.mark.parametrize("stride", [1, 2])
def test_a_merged_kernel_is_the_weighted_sum_of_the_convolutions(groups, stride):
    module, x = net(KERNELS, groups, stride), torch.randn(2, 6, 11, 11)
    weights = torch.tensor([0.4, 0.3, 0.2, 0.1], requires_grad=True)
    mixed(module, weights)
    found = module(x)
    wanted = sum(
        w * F.conv2d(x.relu(), o.conv.weight, None, stride, o.conv.padding, o.conv.dilation, groups)
        for w, o in zip(weights, module.options, strict=True)
    )
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)
    leaves = [weights, *(o.conv.weight for o in module.options)]
    of_mine, of_theirs = (torch.autograd.grad(value.square().sum(), leaves) for value in (found, wanted))
    for mine, theirs in zip(of_mine, of_theirs, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-4)


def test_it_holds_with_a_shared_pointwise_convolution_and_not_with_one_for_each():
    module, x = net(KERNELS, after=lambda: nn.Conv2d(6, 6, 1, bias=False)), torch.randn(2, 6, 9, 9)
    weights = torch.tensor([0.4, 0.3, 0.2, 0.1])
    mixed(module, weights)
    apart = sum(w * o(x) for w, o in zip(weights, module.options, strict=True))
    torch.testing.assert_close(module(x), apart, rtol=1e-5, atol=1e-6)
    others = [nn.Conv2d(6, 6, 1, bias=False) for _ in module.options]
    unlike = sum(w * after(o.conv(x.relu())) for w, o, after in zip(weights, module.options, others, strict=True))
    assert not torch.allclose(module(x), unlike, atol=1e-2)


def test_a_normalisation_follows_the_sum():
    """NAS-Bench-201: a 1x1 kernel in a 3x3 one, exact where BatchNorm comes after the sum."""
    small, large = nn.Conv2d(4, 4, 1, bias=False), nn.Conv2d(4, 4, 3, 1, 1, bias=False)
    norm, x = nn.BatchNorm2d(4, affine=False), torch.randn(3, 4, 8, 8)
    kernel = 0.3 * embedded(small.weight, 1, 3) + 0.7 * large.weight
    torch.testing.assert_close(norm(F.conv2d(x, kernel, None, 1, 1)), norm(0.3 * small(x) + 0.7 * large(x)), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(norm(0.3 * small(x) + 0.7 * large(x)), 0.3 * norm(small(x)) + 0.7 * norm(large(x)), atol=1e-2)


def test_operations_without_kernels_are_mixed_as_ever():
    module, x = net(("conv3", "pool", "dil3", "skip")), torch.randn(2, 6, 9, 9)
    weights = torch.tensor([0.4, 0.3, 0.2, 0.1])
    mixed(module, weights)
    torch.testing.assert_close(
        module(x), sum(w * o(x) for w, o in zip(weights, module.options, strict=True)), rtol=1e-5, atol=1e-6
    )
    mixed(module, weights, (1, 3))
    torch.testing.assert_close(module(x), 0.3 * module.options[1](x) + 0.1 * x)
    slot = mixed(module, weights, (2,))
    torch.testing.assert_close(module(x), 0.2 * module.options[2](x), rtol=1e-5, atol=1e-6)
    slot.mixed = None
    slot.active = 2
    assert torch.equal(module(x), module.options[2](x))


def test_a_merged_decision_runs_one_convolution():
    module, x, runs = net(KERNELS, after=nn.Identity), torch.randn(1, 6, 9, 9), []
    mixed(module, torch.full((4,), 0.25))
    with torch.profiler.profile() as profile:
        module(x)
    runs = [event.count for event in profile.key_averages() if event.key == "aten::convolution"]
    assert runs == [1]


def test_what_follows_is_one_module_for_all_options():
    space = {"op": OneOf("conv3", "conv5")}

    class Net(nn.Module):
        def __init__(self, settled):
            super().__init__()
            self.op = choose_merged(settled["op"], make(6), lambda: nn.Conv2d(6, 6, 1, bias=False))

        def forward(self, x):
            return self.op(x)

    supernet, x = Supernet(Net(opened(space)), space), torch.randn(1, 6, 5, 5)
    assert len({id(option.after) for option in supernet.module.op.options}) == 1
    for option in (0, 1):
        supernet.activate({"op": option})
        assert torch.equal(supernet.extract({"op": option}, Net)(x), supernet.module(x))
