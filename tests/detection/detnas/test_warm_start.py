"""Siblings of a trained block compute its function until they are trained themselves."""

import pytest
import torch
from torch import nn

from common.supernet import Supernet, opened
from detection.detnas.model import build
from detection.detnas.space import KINDS, arch_of_genes, backbone, uniform_arch
from detection.detnas.warm_start import inherit_from_baseline

SPACE = backbone("tiny")


def trained() -> Supernet:
    """The all-3x3 path has had training: its statistics and weights are no longer the initial ones."""
    net = Supernet(build(opened(SPACE)), SPACE)
    net.activate(uniform_arch(SPACE, 0))
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        optimizer = torch.optim.SGD(net.module.parameters(), 0.1)
        for _ in range(3):
            optimizer.zero_grad()
            net.module(torch.randn(4, 3, 32, 32) + 1)[-1].square().mean().backward()
            optimizer.step()
    net.module.eval()
    return net


def outputs(net: Supernet, genes) -> tuple[torch.Tensor, ...]:
    net.activate(arch_of_genes(SPACE, genes))
    with torch.no_grad():
        return net.module(torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1)))


@pytest.mark.parametrize("genes", [(1,) * 8, (2,) * 8, (0, 1, 2, 2, 1, 0, 1, 2)])
def test_larger_kernels_start_as_the_3x3_block(genes):
    net = trained()
    before, other = outputs(net, (0,) * 8), outputs(net, genes)
    assert not any(torch.allclose(a, b, rtol=1e-2) for a, b in zip(before, other))
    inherit_from_baseline(net.module)
    assert all(torch.equal(a, b) for a, b in zip(before, outputs(net, (0,) * 8)))
    for a, b in zip(before, outputs(net, genes)):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_kernels_are_copied_into_the_middle_of_zeros():
    net = trained()
    inherit_from_baseline(net.module)
    options = net.module.get_submodule("stages.0.0.options")
    small, large = (options[i].main.get_submodule("depthwise.conv").weight for i in (0, 2))
    assert torch.equal(large[..., 2:5, 2:5], small)
    assert int((large != 0).sum()) == int((small != 0).sum())


def test_layers_that_do_not_fit_keep_their_weights():
    net = trained()
    xception = net.module.get_submodule(f"stages.1.0.options.{KINDS.index('xception3')}.main")
    own = {name: value.clone() for name, value in xception.state_dict().items()}
    inherit_from_baseline(net.module)
    shuffle = net.module.get_submodule("stages.1.0.options.0.main").state_dict()
    assert torch.equal(xception.get_submodule("reduce.conv").weight, shuffle["reduce.conv.weight"])
    for name, value in xception.state_dict().items():
        if name.startswith(("first", "between", "third")):
            assert torch.equal(value, own[name])


def test_a_network_without_choices_is_left_alone():
    net = nn.Sequential(nn.Conv2d(3, 4, 3))
    before = net[0].weight.clone()
    inherit_from_baseline(net)
    assert torch.equal(net[0].weight, before)
