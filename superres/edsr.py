"""EDSR (Lim et al. 2017, arXiv 1707.02921, section 3) of any size: a hand-made network to compare others of one cost with.

Residual blocks are not scaled, as in its baseline of 16 blocks of 64 channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, partial

import torch
from torch import nn

from common.task import Outside
from superres.costs import cost_of
from superres.layers import Added, FromMean, sub_pixel

BLOCKS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
"""Numbers of residual blocks that are tried."""
CHANNELS_A_BLOCK = 5.0
"""Channels that are aimed at for each block: 64 for 16 blocks are EDSR's baseline, 16 for 3 train well in minutes."""
NEAR = 0.03
"""How far from the wanted multiply-adds a network may be, as a share of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EDSR:
    """A convolution, residual blocks within a long skip, sub-pixel convolution, a convolution."""

    width: int
    """Channels."""
    blocks: int
    """Residual blocks of two 3x3 convolutions each."""
    scale: int
    residual: bool = False
    """Whether the input, enlarged bicubically, is added to the output; not so in the paper."""


def build(net: EDSR, seed: int = 0) -> nn.Module:
    """The network of a description; weights are a function of `seed`, and torch's defaults otherwise."""

    def conv(c_in: int, c_out: int) -> nn.Conv2d:
        return nn.Conv2d(c_in, c_out, 3, padding=1)

    def block() -> nn.Module:
        return Added(nn.Sequential(conv(net.width, net.width), nn.ReLU(), conv(net.width, net.width)))

    devices: list[int] = []
    with torch.random.fork_rng(devices):
        torch.default_generator.manual_seed(seed)
        body = Added(nn.Sequential(*(block() for _ in range(net.blocks)), conv(net.width, net.width)))
        whole = nn.Sequential(conv(3, net.width), body, sub_pixel(net.width, net.scale), conv(net.width, 3))
        return FromMean(whole, net.scale, net.residual)


def of_equal_cost(macs: int, scale: int, side: int, residual: bool) -> Mapping[str, Outside]:
    """The network whose multiply-adds, for a picture of `side` pixels, come nearest to `macs`, by its name.

    For each number of blocks the width that comes nearest is taken; of those within 3 %, the one of the most usual shape.
    """
    found = [_nearest(macs, EDSR(width=1, blocks=blocks, scale=scale, residual=residual), side) for blocks in BLOCKS]
    near = [one for one in found if _gap(one, macs, side) <= NEAR] or [min(found, key=lambda one: _gap(one, macs, side))]
    net = min(near, key=lambda one: abs(one.width / one.blocks - CHANNELS_A_BLOCK))
    cost = _cost(net, side)
    return {f"EDSR {net.blocks}x{net.width}": Outside(build=partial(build, net), cost=cost)}


def _nearest(macs: int, net: EDSR, side: int) -> EDSR:
    """The network of the width, 1 at least, whose multiply-adds come nearest; they grow with the width."""
    low, high = 1, 2
    while _cost(replace(net, width=high), side)["macs_deconv"] < macs:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _cost(replace(net, width=middle), side)["macs_deconv"] < macs else (low, middle)
    return min((replace(net, width=width) for width in (low, high)), key=lambda one: _gap(one, macs, side))


def _gap(net: EDSR, macs: int, side: int) -> float:
    return abs(_cost(net, side)["macs_deconv"] / macs - 1)


@lru_cache(maxsize=512)  # a search over widths asks for the same networks again
def _cost(net: EDSR, side: int) -> dict[str, int]:
    with torch.device("meta"):
        return cost_of(build(net), 3, side)._asdict()
