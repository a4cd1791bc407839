"""Backbones as plain data; `detection.backbones.build` makes the modules. No torch here: settings read it.

>>> efficientnet("b0").stages[1]
MBStage(blocks=2, kernel=3, stride=2, expand=6, width=24)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from common.errors import UserError

KINDS = ("shuffle3", "shuffle5", "shuffle7", "xception3")
"""The options of every block, in the order of the paper's notation 0 1 2 3."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Blocks of one resolution; the first halves it."""

    width: int
    """Output channels; even."""
    blocks: tuple[Any, ...]
    """Kinds of block, or decisions between them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShuffleNet:
    """A 3x3 stride-2 stem, then stages; stage i has stride 4 * 2**i."""

    stem: int
    """Channels of the stem."""
    stages: tuple[Stage, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MBStage:
    """Inverted bottlenecks of one width; the first has the stride."""

    blocks: int
    """Number of blocks."""
    kernel: int
    """Side of the depthwise kernel: 3 or 5."""
    stride: int
    """Of the first block: 1 or 2."""
    expand: int
    """Channels inside a block, as a multiple of its input's."""
    width: int
    """Output channels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EfficientNet:
    """A 3x3 stride-2 stem, then stages of inverted bottlenecks with squeeze and excitation."""

    stem: int
    """Channels of the stem."""
    stages: tuple[MBStage, ...]
    taps: tuple[int, ...]
    """Numbers of the stages whose maps are returned, ascending; stages after the last one are not allowed."""
    drop_path: float = 0.2
    """Probability to leave out the last block in training; it grows linearly from 0 at the first block."""

    def stride(self, stage: int) -> int:
        """Of a stage's map."""
        return 2 * math.prod(one.stride for one in self.stages[: stage + 1])


_B0 = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
SCALES = {
    "b0": (1.0, 1.0),
    "b1": (1.0, 1.1),
    "b2": (1.1, 1.2),
    "b3": (1.2, 1.4),
    "b4": (1.4, 1.8),
    "b5": (1.6, 2.2),
    "b6": (1.8, 2.6),
    "b7": (2.0, 3.1),
}
"""Name -> multiples of B0's width and of its blocks a stage (1905.11946, official code)."""


def efficientnet(name: str) -> EfficientNet:
    """A published size, with the maps of strides 8, 16 and 32.

    Raises:
        UserError: there is no such size.
    """
    if name not in SCALES:
        raise UserError(f"EfficientNet {name!r} does not exist; choose one of {', '.join(SCALES)}")
    return scaled(*SCALES[name])


def scaled(width: float, depth: float) -> EfficientNet:
    """B0 with `width` times the channels and `depth` times the blocks, rounded as the official code rounds them."""
    stages = tuple(
        MBStage(blocks=math.ceil(depth * blocks), kernel=kernel, stride=stride, expand=expand, width=rounded(width * channels))
        for blocks, kernel, stride, expand, channels in _B0
    )
    return EfficientNet(stem=rounded(width * 32), stages=stages, taps=(2, 4, 6))


def rounded(channels: float) -> int:
    """The nearest multiple of 8, at least 8, and at least 90 % of `channels`.

    >>> [rounded(1.2 * c) for c in (16, 24, 40)]
    [24, 32, 48]
    """
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * channels else nearest + 8


Backbone = ShuffleNet | EfficientNet
