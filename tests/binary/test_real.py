"""The twin with real weights that binary networks are compared with."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from binary.costs import BINARY
from binary.groups import model as groups
from binary.groups.networks import spaces as group_spaces
from binary.layers.activations import Sign, ZeroOne
from binary.layers.convolution import BinaryConv2d, is_binary
from binary.real import REAL, baseline_with_real_weights, real_twin
from binary.width import model as width
from binary.width.networks import spaces as width_spaces
from common.cost.count import count
from common.space import Arch, decisions, decode

CASES = [
    *((width.build, name, space) for name, space in width_spaces().items()),
    *((groups.build, name, space) for name, space in group_spaces().items()),
]
IMAGES = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("build", "name", "space"), CASES, ids=[name for _, name, _ in CASES])
def test_the_twin_has_ordinary_layers_with_the_same_weights(build, name, space):
    settled = decode(space, Arch(dict.fromkeys(decisions(space), 1)))
    binary, twin = build(settled, 3), real_twin(build, settled, 3)
    steps = sum(isinstance(module, Sign | ZeroOne) for module in binary.modules())
    assert steps and sum(isinstance(module, nn.ReLU) for module in twin.modules()) == steps
    assert not any(isinstance(module, Sign | ZeroOne | BinaryConv2d) or is_binary(module) for module in twin.modules())
    state = twin.state_dict()
    assert all(torch.equal(value, state[key]) for key, value in binary.state_dict().items()) and len(state) == len(
        binary.state_dict()
    )
    ours, theirs = (count(network, (IMAGES[:1],), convention=BINARY).costs for network in (binary, twin))
    assert theirs["macs"] == ours["macs"] + ours["bops"] and theirs["bops"] == theirs["binary_weights"] == 0
    assert theirs["params"] == ours["params"] and theirs["bits"] == 32 * ours["params"]


def test_the_twin_is_trained_by_ordinary_gradients():
    space = width_spaces()["vgg"]
    twin = real_twin(width.build, decode(space, Arch(dict.fromkeys(decisions(space), 2))))
    twin(IMAGES).square().sum().backward()
    assert all(parameter.grad is not None and bool(parameter.grad.any()) for parameter in twin.parameters() if parameter.ndim > 1)
    convolutions = [module for module in twin.modules() if isinstance(module, nn.Conv2d)]
    x = torch.randn(1, convolutions[1].in_channels, 5, 5)
    assert torch.equal(convolutions[1](x), nn.functional.conv2d(x, convolutions[1].weight, padding=1))


def test_a_run_compares_with_the_twin_of_its_baseline_whatever_was_found():
    space = width_spaces()["vgg"]
    baseline, found = (Arch(dict.fromkeys(decisions(space), option)) for option in (2, 0))
    outside = baseline_with_real_weights(width.build, space, baseline, (IMAGES[:1],))
    assert outside(found).keys() == {REAL} == outside(baseline).keys()
    made = outside(found)[REAL]
    wanted = real_twin(width.build, decode(space, baseline), 5)
    assert all(torch.equal(a, b) for a, b in zip(made.build(5).parameters(), wanted.parameters(), strict=True))
    assert made.cost == outside(baseline)[REAL].cost and made.cost["bops"] == 0 < made.cost["macs"]
