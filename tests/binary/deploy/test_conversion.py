"""Packed networks give the bits of the networks that they are made of."""

from __future__ import annotations

from random import Random

import pytest
import torch
from torch import nn

from binary.deploy.conversion import Packed, packed
from binary.groups import model as groups
from binary.groups import networks as group_spaces
from binary.layers.activations import Sign, ZeroOne, rsign
from binary.layers.convolution import Binary, BinaryConv2d, binary_conv2d, is_binary
from binary.phases import set_real
from binary.width import model as width
from binary.width import networks as width_spaces
from binary.width.space import ResNet
from common.errors import UserError
from common.space import decode, sample
from common.supernet import opened

SPACES = [
    *((width.build, name, space) for name, space in width_spaces.spaces().items()),
    *((groups.build, name, space) for name, space in group_spaces.spaces().items()),
]
BIREAL = ResNet(
    stages=(1, 1),
    inner=(1, 1, 1, 1),
    base=(16, 24),
    classes=5,
    stem="small",
    shortcuts="convolutions",
    downsample="real",
    activations="sign",
)


def trained(network: nn.Module, seed: int = 0) -> nn.Module:
    """As after training: statistics, shifts and slopes of all sizes."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in (*network.named_parameters(), *network.named_buffers()):
            if value.is_floating_point() and value.ndim <= 3:
                noise = torch.randn(value.shape, generator=generator)
                value.copy_(noise.abs() + 0.1 if name.endswith("var") else 0.5 * noise)
    return network.eval()


def same(network: nn.Module, side: int = 8, layout: torch.memory_format = torch.contiguous_format) -> nn.Module:
    made = packed(network)
    x = torch.randn(3, 3, side, side, generator=torch.Generator().manual_seed(1)).contiguous(memory_format=layout)
    with torch.inference_mode():
        assert torch.equal(network(x), made(x))
    return made


@pytest.mark.parametrize(("build", "name", "space"), SPACES, ids=[name for _, name, _ in SPACES])
def test_packed_networks_of_every_space_give_the_same_bits(build, name, space):
    for seed in range(3):
        network = trained(build(decode(space, sample(space, Random(seed))), seed), seed)
        made = same(network)
        assert not any(isinstance(module, BinaryConv2d) for module in made.modules())
        count = sum(is_binary(module) for module in network.modules())
        assert count and sum(isinstance(module, Packed) for module in made.modules()) == count


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=str)
def test_bi_real_net_gives_the_same_bits_in_both_layouts(layout):
    same(trained(width.build(BIREAL)), side=12, layout=layout)


def test_a_network_that_is_moved_after_it_was_packed_gives_the_same_bits():
    network = trained(width.build(BIREAL))
    made = packed(network)
    x = torch.randn(2, 3, 12, 12, generator=torch.Generator().manual_seed(2)).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        moved, still = (each.to(memory_format=torch.channels_last)(x) for each in (made, network))
    assert torch.equal(moved, still)


def test_a_shift_and_a_sign_become_a_threshold_and_the_network_stays_as_it_was():
    network = trained(nn.Sequential(rsign(3), binary_conv2d(3, 4, 3, arithmetic=Binary())))
    before = [type(module) for module in network.modules()]
    made = same(network)
    assert [type(module) for module in network.modules()] == before
    assert isinstance(made, nn.Sequential) and isinstance(made[0], nn.Identity) and isinstance(made[1], Packed)
    assert torch.equal(made[1].convolution.threshold, network[0][0].bias.flatten())


def test_what_stands_before_a_sign_stays():
    row = nn.Sequential(nn.BatchNorm2d(3), Sign())
    made = same(trained(nn.Sequential(row, binary_conv2d(3, 4, 1, arithmetic=Binary(scale="none")))))
    assert [type(module) for module in made[0]] == [nn.BatchNorm2d]
    assert made[1].scale is None


def test_zeros_and_ones_are_packed_as_bits():
    made = same(trained(nn.Sequential(nn.BatchNorm2d(3), ZeroOne(), binary_conv2d(3, 4, 3, arithmetic=width.DOREFA))))
    assert made[2].convolution.activations == "bits" and made[2].scale.shape == ()


def test_a_state_has_one_bit_for_each_weight():
    network = nn.Sequential(Sign(), binary_conv2d(128, 64, 3, arithmetic=Binary()))
    state = packed(network).state_dict()
    words = state["1.convolution.words"]
    assert words.dtype == torch.int64 and words.numel() * 64 == 128 * 64 * 9


@pytest.mark.parametrize(
    ("network", "said"),
    [
        (lambda: nn.Sequential(nn.Conv2d(3, 4, 3)), "no convolution with binary weights: there is nothing to pack"),
        (lambda: nn.Sequential(nn.ReLU(), binary_conv2d(3, 4, 3, arithmetic=Binary())), r"^1: it cannot be packed, .* put Sign"),
        (lambda: nn.Sequential(binary_conv2d(3, 4, 3, arithmetic=Binary()), Sign()), r"^0: it cannot be packed"),
        (lambda: nn.ModuleDict({"a": binary_conv2d(3, 4, 3, arithmetic=Binary())}), r"^a: it cannot be packed"),
        (lambda: groups.build(opened(group_spaces.spaces()["groups"])), "is of a supernet, whose width is open"),
    ],
)
def test_what_cannot_be_packed_is_named(network, said):
    with pytest.raises(UserError, match=said):
        packed(network())


def test_a_network_in_its_first_stage_is_not_packed():
    network = groups.build(decode(space := group_spaces.spaces()["groups"], sample(space, Random(0))))
    set_real(network, True)
    with pytest.raises(UserError, match="has real weights, as in the first stage of a training"):
        packed(network)
