"""The blocks of DetNAS's backbone against the release's definitions."""

import pytest
import torch
from torch import nn

from detection.backbones.descriptions import KINDS
from detection.backbones.shufflenet import Block, Bottleneck


@pytest.mark.parametrize("kind", KINDS)
def test_a_block_halves_the_resolution_or_keeps_it(kind):
    x = torch.randn(2, 16, 9, 9)
    assert Block(kind, 16, 16, 1)(x).shape == (2, 16, 9, 9)
    assert Block(kind, 16, 44, 2)(x).shape == (2, 44, 5, 5)


@pytest.mark.parametrize("kind", KINDS)
def test_even_channels_pass_and_odd_ones_are_worked_on(kind):
    block, x = Block(kind, 16, 16, 1).eval(), torch.randn(2, 16, 6, 6)
    out = block(x)
    assert torch.equal(out[:, :8], x[:, [0, 2, 4, 6, 8, 10, 12, 14]])
    other = x.clone()
    other[:, 0::2] += 1
    assert torch.equal(block(other)[:, 8:], out[:, 8:])
    other[:, 1::2] += 1
    assert not torch.equal(block(other)[:, 8:], out[:, 8:])


@pytest.mark.parametrize(("kind", "kernel"), list(zip(KINDS, (3, 5, 7, 3))))
def test_a_stride_2_block_projects_all_its_input(kind, kernel):
    block = Block(kind, 16, 44, 2)
    depthwise = block.project.get_submodule("depthwise.conv")
    assert depthwise.weight.shape == (16, 1, kernel, kernel)
    assert block.project.get_submodule("expand.conv").weight.shape == (16, 16, 1, 1)
    kernels = [m.kernel_size[0] for m in block.main.modules() if isinstance(m, nn.Conv2d) and m.groups > 1]
    assert kernels == ([3, 3, 3] if kind == "xception3" else [kernel])
    assert [m.out_channels for m in block.main.modules() if isinstance(m, nn.Conv2d) and m.groups == 1][-1] == 44 - 16


def test_depthwise_convolutions_are_followed_by_no_activation():
    block = Block("xception3", 16, 16, 1)
    after = [[type(m).__name__ for m in part] for part in block.main]
    assert after == [["Conv2d", "BatchNorm2d"], ["Conv2d", "BatchNorm2d", "ReLU"]] * 3


def test_the_channels_inside_a_block_may_be_others_than_half():
    usual, wide = Block("shuffle3", 16, 16, 1), Block("shuffle3", 16, 16, 1, inner=24)
    assert usual.main.get_submodule("reduce.conv").weight.shape == (8, 8, 1, 1)
    assert wide.main.get_submodule("reduce.conv").weight.shape == (24, 8, 1, 1)
    assert wide.main.get_submodule("depthwise.conv").groups == 24
    assert wide(torch.randn(2, 16, 6, 6)).shape == (2, 16, 6, 6)


def test_a_bottleneck_adds_its_input_at_stride_1_alone():
    x = torch.randn(2, 8, 9, 9)
    block = Bottleneck(5, 8, 8, 1, 20).eval()
    assert torch.equal(block(x), x + block.main(x))
    assert block.main.get_submodule("depthwise.conv").weight.shape == (20, 1, 5, 5)
    assert not isinstance(block.main.get_submodule("reduce")[-1], nn.ReLU)
    down = Bottleneck(3, 8, 12, 2, 20).eval()
    assert down(x).shape == (2, 12, 5, 5)
    assert torch.equal(down(x), down.main(x))
