"""GAN Compression's generators as modules: one build for teachers, standalone students and supernets (paper, section 3.2).

Every convolution has a bias; instance normalisation has neither weights nor running statistics.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from common.supernet import conv2d, conv_transpose2d, depthwise, fmap, instance_norm
from gan.compression.space import Generator

TAPS = 3
"""Blocks after which maps are tapped, besides the beginning of the trunk: after each third of them."""
SPREAD = 0.02
"""Standard deviation of fresh weights (pix2pix, CycleGAN)."""


def _norm_relu(conv: nn.Module, width: Any) -> nn.Sequential:
    return nn.Sequential(conv, instance_norm(width), nn.ReLU())


class Block(nn.Module):
    """A residual block: two 3x3 convolutions, or depthwise-pointwise pairs, padded by reflection."""

    def __init__(self, trunk: Any, hidden: Any, *, mobile: bool, dropout: float) -> None:
        """Makes a block from `trunk` to `hidden` channels and back."""
        super().__init__()
        self.first = _convolution(trunk, hidden, mobile)
        self.norm = instance_norm(hidden)
        self.dropout = nn.Dropout(dropout)
        self.second = _convolution(hidden, trunk, mobile)
        self.last_norm = instance_norm(trunk)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """The block's map."""
        hidden = torch.relu(self.norm(self.first(x)))
        return x + self.last_norm(self.second(self.dropout(hidden)))


def _convolution(c_in: Any, c_out: Any, mobile: bool) -> nn.Module:
    if not mobile:
        return conv2d(c_in, c_out, 3, padding_mode="reflect")
    return nn.Sequential(depthwise(c_in, 3, padding_mode="reflect"), instance_norm(c_in), conv2d(c_in, c_out, 1))


class ResnetGenerator(nn.Module):
    """The generator of a description, open or settled.

    Attributes:
        trunk: channels of the maps that `with_taps` gives, settled or open.
    """

    def __init__(self, net: Generator) -> None:
        """Makes the generator; fresh weights are normal with deviation 0.02, biases 0."""
        super().__init__()
        down, up = fmap(lambda c: 2 * c, net.down), fmap(lambda c: 2 * c, net.up[0])
        self.trunk: Any = fmap(lambda c: 4 * c, net.trunk)
        self.stem = _norm_relu(conv2d(net.channels[0], net.stem, 7, padding_mode="reflect"), net.stem)
        self.down = nn.Sequential(
            _norm_relu(conv2d(net.stem, down, 3, 2), down), _norm_relu(conv2d(down, self.trunk, 3, 2), self.trunk)
        )
        share = net.blocks // len(net.hidden)
        hidden = [fmap(lambda c: 4 * c, net.hidden[i // share]) for i in range(net.blocks)]
        self.blocks = nn.ModuleList(Block(self.trunk, width, mobile=net.mobile, dropout=net.dropout) for width in hidden)
        self.up = nn.Sequential(
            _norm_relu(conv_transpose2d(self.trunk, up, 3, 2), up), _norm_relu(conv_transpose2d(up, net.up[1], 3, 2), net.up[1])
        )
        self.picture = conv2d(net.up[1], net.channels[1], 7, padding_mode="reflect")
        fresh(self)

    def forward(self, x: Float[Tensor, "n i h w"]) -> Float[Tensor, "n o h w"]:
        """Pictures in [-1, 1] of pictures in [-1, 1], of the same size, a multiple of 4."""
        return self.with_taps(x)[0]

    def with_taps(self, x: Float[Tensor, "n i h w"]) -> tuple[Float[Tensor, "n o h w"], list[Tensor]]:
        """The pictures, and the four maps that students imitate: at the trunk's beginning and after each third of the blocks."""
        x = self.down(self.stem(x.clamp(-1, 1)))
        taps = [x]
        ends = {len(self.blocks) * (i + 1) // TAPS for i in range(TAPS)}
        for i, block in enumerate(self.blocks, 1):
            x = block(x)
            if i in ends:
                taps.append(x)
        return torch.tanh(self.picture(self.up(x))), taps


@torch.no_grad()
def fresh(module: nn.Module) -> None:
    """Draws new weights for every convolution in `module`: normal with deviation 0.02, biases 0."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(part.weight, 0.0, SPREAD)
            if part.bias is not None:
                nn.init.zeros_(part.bias)


def build(net: Generator, seed: int = 0) -> ResnetGenerator:
    """The module of a generator, open or settled; weights are a function of `seed`."""
    devices: list[int] = []
    with torch.random.fork_rng(devices):
        torch.default_generator.manual_seed(seed)
        return ResnetGenerator(net)
