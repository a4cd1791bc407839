"""Generators: their parts, their taps, published counts, and sub-generators cut out of the supernet."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from common.cost.conventions import conv_linear, output_elements
from common.cost.count import count
from common.cost.price import Price
from common.space import decode, sample
from common.streams import stream
from common.supernet import Supernet, opened
from gan.compression.model import Block, build, fresh
from gan.compression.space import Generator, open_space, uniform

PICTURE = torch.rand(2, 3, 24, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_a_dense_generator_is_the_published_chain_of_layers():
    """Built once more from plain layers, in the order of the spec of CycleGAN's generator, with the same weights."""
    network = build(uniform(4, blocks=3, mobile=False), seed=1)
    shapes = [(3, 4), (4, 8), (8, 16), *[(16, 16)] * 6, (16, 8), (8, 4), (4, 3)]
    state = list(network.state_dict().values())
    assert len(state) == 2 * len(shapes)
    x = PICTURE
    weights = [(state[2 * i], state[2 * i + 1]) for i in range(len(shapes))]
    for (weight, _), (c_in, c_out), i in zip(weights, shapes, range(12), strict=True):
        assert weight.shape[:2] == ((c_in, c_out) if i in (9, 10) else (c_out, c_in))

    def norm_relu(x):
        return F.relu(F.instance_norm(x))

    x = norm_relu(F.conv2d(F.pad(x, [3] * 4, mode="reflect"), *weights[0]))
    x = norm_relu(F.conv2d(x, *weights[1], stride=2, padding=1))
    x = norm_relu(F.conv2d(x, *weights[2], stride=2, padding=1))
    taps = [x]
    for i in (3, 5, 7):
        hidden = norm_relu(F.conv2d(F.pad(x, [1] * 4, mode="reflect"), *weights[i]))
        x = x + F.instance_norm(F.conv2d(F.pad(hidden, [1] * 4, mode="reflect"), *weights[i + 1]))
        taps.append(x)
    for i in (9, 10):
        x = norm_relu(F.conv_transpose2d(x, *weights[i], stride=2, padding=1, output_padding=1))
    x = torch.tanh(F.conv2d(F.pad(x, [3] * 4, mode="reflect"), *weights[11]))
    picture, found = network.with_taps(PICTURE)
    torch.testing.assert_close(picture, x)
    assert len(found) == 4
    for mine, theirs in zip(found, taps, strict=True):
        torch.testing.assert_close(mine, theirs)
    assert picture.shape == PICTURE.shape


def test_a_mobile_block_has_depthwise_and_pointwise_convolutions():
    block = Block(8, 4, mobile=True, dropout=0.0)
    wide, norm, narrow = block.first
    assert wide.groups == 8 and wide.padding_mode == "reflect" and narrow.kernel_size == (1, 1) and narrow.out_channels == 4
    assert isinstance(norm, nn.InstanceNorm2d) and not norm.affine and not norm.track_running_stats


def test_taps_come_after_each_third_of_the_blocks():
    network = build(uniform(4, blocks=9))
    seen: list[torch.Tensor] = []
    for block in network.blocks:
        block.register_forward_hook(lambda module, args, out: seen.append(out))
    _, taps = network.with_taps(PICTURE)
    assert [next(i for i, x in enumerate(seen) if x is tap) for tap in taps[1:]] == [2, 5, 8]


def test_inputs_beyond_the_range_are_clamped_and_weights_begin_as_published():
    network = build(uniform(16, blocks=3, mobile=False), seed=0)
    assert torch.equal(network(PICTURE * 9), network((PICTURE * 9).clamp(-1, 1)))
    convs = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    assert float(torch.cat([c.weight.detach().flatten() for c in convs]).std()) == pytest.approx(0.02, rel=0.02)
    assert all(not c.bias.any() for c in convs)
    assert torch.equal(network.picture.weight, build(uniform(16, blocks=3, mobile=False), seed=0).picture.weight)
    assert not torch.equal(network.picture.weight, build(uniform(16, blocks=3, mobile=False), seed=1).picture.weight)
    fresh(nn.Conv2d(1, 1, 1, bias=False))


def test_fifty_sub_generators_are_bit_equal_to_the_supernet_and_priced_exactly():
    space = open_space("channels-32")
    net = Supernet(build(opened(space), 3), space)
    net.module.eval()
    with torch.device("meta"):
        price = Price(build(opened(space)), (torch.empty(1, 3, 256, 256, device="meta"),), space, convention=output_elements)
    for i in range(50):
        arch = sample(space, stream(0, "fifty", i))
        network = net.extract(arch, build)
        net.activate(arch)
        with torch.no_grad():
            assert torch.equal(net.module(PICTURE), network(PICTURE))
        with torch.device("meta"):
            cost = count(build(decode(space, arch)), (torch.empty(1, 3, 256, 256),), convention=output_elements)
        assert price.price(arch) == {"params": cost.params, "macs": cost.macs}


def test_transposed_convolutions_are_counted_by_their_output():
    with torch.device("meta"):
        network, picture = build(uniform(64, mobile=False)), torch.empty(1, 3, 256, 256)
        published, computed = (count(network, (picture,), convention=c).macs for c in (output_elements, conv_linear))
    norms = sum(64 * c * s**2 for c, s in ((1, 256), (2, 128), (4, 64), (2, 128), (1, 256))) + 18 * 256 * 64**2
    assert published == 56_831_770_624 and published - norms == 56_799_264_768
    assert computed == published - norms - 3 * (256 * 128 * 9 * 64**2 + 128 * 64 * 9 * 128**2)


def test_dropout_draws_in_training_alone():
    net = Generator(stem=4, down=4, trunk=4, hidden=(4,), up=(4, 4), blocks=3, dropout=0.5)
    network = build(net, 0)
    assert not torch.equal(network(PICTURE), network(PICTURE))
    network.eval()
    assert torch.equal(network(PICTURE), network(PICTURE))
