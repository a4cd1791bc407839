"""The block of a binary MobileNet: its two shortcuts."""

import torch

from binary.groups.model import Block


def test_without_convolutions_a_block_is_its_shortcuts_pooled_and_doubled():
    block = Block(4, 8, 2, "depthwise").eval()
    for norm in (block.spatial[2], block.point[2]):
        torch.nn.init.zeros_(norm.weight)
    x = torch.rand(2, 4, 6, 6) + 0.1  # above 0, where PReLU is the identity
    pooled = torch.nn.functional.avg_pool2d(x, 2)
    assert torch.allclose(block(x), torch.cat([pooled, pooled], 1))
    same = Block(4, 4, 1, 2).eval()
    for norm in (same.spatial[2], same.point[2]):
        torch.nn.init.zeros_(norm.weight)
    assert torch.allclose(same(x), x)
