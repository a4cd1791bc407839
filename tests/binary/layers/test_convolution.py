"""Convolutions with binary weights: two values a filter, scales, gradients, open decisions."""

from __future__ import annotations

from random import Random

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from binary.costs import BINARY
from binary.layers.activations import Shift, Sign, ZeroOne, rprelu, rsign
from binary.layers.convolution import Binary, BinaryConv2d, binary_conv2d, is_binary
from binary.layers.signs import sign
from common.cost.count import count
from common.errors import UserError
from common.space import OneOf, decode, sample
from common.supernet import Supernet, conv2d, fmap, opened


def layer(c_in: int = 6, c_out: int = 4, **given) -> BinaryConv2d:
    torch.manual_seed(0)
    arithmetic = Binary(**given)
    made = binary_conv2d(c_in, c_out, 3, arithmetic=arithmetic)
    assert isinstance(made, BinaryConv2d)
    return made


def signs(n: int = 2, c: int = 6, seed: int = 1) -> torch.Tensor:
    return sign(torch.randn(n, c, 5, 5, generator=torch.Generator().manual_seed(seed)))


def effective(made: nn.Module, c: int = 6) -> torch.Tensor:
    """The weights that a convolution acts with: its answers to single ones."""
    ones = torch.eye(c * 9).reshape(c * 9, c, 3, 3)
    return made(ones)[:, :, 1, 1].T.reshape(-1, c, 3, 3)


@pytest.mark.parametrize("scale", ["filter", "layer", "none"])
def test_weights_have_two_values_a_filter_which_are_the_scale(scale):
    made = layer(scale=scale)
    acting = effective(made).detach()
    size = made.weight.detach().abs()
    for index, each in enumerate(acting):
        wanted = {"filter": size[index].mean(), "layer": size.mean(), "none": torch.tensor(1.0)}[scale]
        assert len(each.unique()) == 2
        assert torch.allclose(each.abs(), wanted.expand_as(each))
    assert torch.equal(acting.sign(), sign(made.weight.detach()))


def test_the_output_is_the_convolution_with_signs_and_then_the_scale():
    made, x = layer(), signs()
    whole = F.conv2d(x, sign(made.weight), None, 1, 1)
    assert torch.equal(whole, whole.round()) and torch.equal(made(x), whole * made.weight.abs().mean((1, 2, 3)).view(-1, 1, 1))


def test_the_scale_learns_only_where_it_is_told_to():
    x = signs()
    still, learning = layer(), layer(learnt=True)
    for made in (still, learning):
        made(x).square().sum().backward()
    # in ReActNet's rule the scale is a number: the gradient is that of signs, times the number
    weight = still.weight.detach().clone().requires_grad_()
    alpha = weight.detach().abs().mean((1, 2, 3)).view(-1, 1, 1, 1)
    F.conv2d(x, alpha * weight.clamp(-1, 1), None, 1, 1)
    limited = (weight.clamp(-1, 1) - weight.clamp(-1, 1).detach() + sign(weight.detach())) * alpha
    F.conv2d(x, limited, None, 1, 1).square().sum().backward()
    assert torch.allclose(still.weight.grad, weight.grad, atol=1e-4)
    assert not torch.allclose(still.weight.grad, learning.weight.grad, atol=1e-4)


def test_the_straight_gradient_is_that_of_the_scaled_signs_unchanged():
    made, x = layer(scale="layer", gradient="straight"), signs()
    made(x).square().sum().backward()
    binary = (sign(made.weight.detach()) * made.weight.detach().abs().mean()).requires_grad_()
    F.conv2d(x, binary, None, 1, 1).square().sum().backward()
    assert torch.allclose(made.weight.grad, binary.grad, rtol=1e-4)


def test_weights_of_zero_alone_give_no_nan():
    made = layer(scale="layer", gradient="straight")
    nn.init.zeros_(made.weight)
    out = made(signs())
    out.sum().backward()
    assert torch.equal(out, torch.zeros_like(out)) and bool(made.weight.grad.isfinite().all())


def test_real_weights_act_as_they_are():
    made, x = layer(real=True), signs()
    assert torch.equal(made(x), F.conv2d(x, made.weight, None, 1, 1))


def test_grouped_convolutions_give_integers_of_one_parity():
    for part in (1, 2, 4):
        made = binary_conv2d(8, 8, 3, groups=8 // part, arithmetic=Binary(scale="none"))
        out = made(signs(c=8))[:, :, 1:-1, 1:-1].detach()
        assert torch.equal(out, out.round()) and float(out.abs().max()) <= 9 * part
        assert bool((out % 2 == (9 * part) % 2).all())


def test_a_path_of_a_supernet_scales_by_its_own_part_and_is_extracted_exactly():
    space = {"out": OneOf(4, 8), "kernel": OneOf(1, 3), "groups": OneOf(1, 2)}

    def build(net) -> nn.Module:
        return nn.Sequential(
            conv2d(3, 8, 3),
            Sign(),
            binary_conv2d(8, fmap(int, net["out"]), net["kernel"], groups=net["groups"], arithmetic=Binary()),
        )

    net = Supernet(build(opened(space)), space)
    x, rng = torch.randn(2, 3, 6, 6), Random(0)
    net.module.eval()
    for _ in range(8):
        arch = sample(space, rng)
        net.activate(arch)
        alone = net.extract(arch, build).eval()
        assert torch.equal(net.module(x), alone(x))
        inner = alone[2]
        assert isinstance(inner, BinaryConv2d) and is_binary(inner) and is_binary(net.module[2])
        settled = decode(space, arch)
        assert inner.groups == settled["groups"] and inner.weight.shape[2] == settled["kernel"]


def test_a_binary_convolution_has_no_bias():
    with pytest.raises(UserError, match="has no bias: give bias=False"):
        conv2d(3, 4, 3, arithmetic=Binary())


def test_layers_are_told_by_their_class_and_not_by_their_numbers():
    x = torch.zeros(1, 4, 8, 8)
    real, binary = nn.Conv2d(4, 6, 3, 1, 1, bias=False), binary_conv2d(4, 6, 3, arithmetic=Binary())
    with torch.no_grad():
        real.weight.copy_(sign(binary.weight))
    amount = 4 * 6 * 9 * 64
    one, other = (count(made, (x,), convention=BINARY).costs for made in (real, binary))
    outputs = 4 * 6 * 64
    assert one == {
        **{"params": 216, "macs": amount, "bits": 32 * 216, "bops": 0, "activation_bytes": outputs},
        **{"ops": amount, "binary_weights": 0},
    }
    assert other == {
        **{"params": 216, "macs": 0, "bits": 216, "bops": amount, "activation_bytes": outputs},
        **{"ops": amount // 64, "binary_weights": 216},
    }


def test_shifted_activations_are_reactnets():
    x = torch.randn(2, 3, 4, 4)
    shifted, prelu = rsign(3), rprelu(3)
    with torch.no_grad():
        for part in (shifted[0], prelu[0], prelu[2]):
            assert isinstance(part, Shift)
            part.bias.copy_(torch.tensor([0.5, -0.5, 0.0]).view(3, 1, 1))
    bias = torch.tensor([0.5, -0.5, 0.0]).view(3, 1, 1)
    assert torch.equal(shifted(x), sign(x + bias))
    assert torch.equal(prelu(x), torch.where(x + bias > 0, x + bias, 0.25 * (x + bias)) + bias)
    assert set(ZeroOne()(x).unique().tolist()) == {0, 1}
