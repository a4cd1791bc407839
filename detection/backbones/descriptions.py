"""Backbones as plain data; `detection.backbones.build` makes the modules. No torch here: settings read it.

>>> efficientnet("b0").stages[1]
MBStage(blocks=2, kernel=3, stride=2, expand=6, width=24)
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from common.errors import UserError

KINDS = ("shuffle3", "shuffle5", "shuffle7", "xception3")
"""The options of every block, in the order of the paper's notation 0 1 2 3."""
MOBILE = ("mobile3", "mobile5", "mobile7")
"""Inverted bottlenecks (Sandler et al. 2018, 1801.04381): kinds of block whose input and output widths may be open as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Blocks of one resolution; the first halves it."""

    width: Any
    """Output channels; even, and fixed, but for blocks of `MOBILE`."""
    blocks: Any
    """Kinds of block, or decisions between them: a tuple, or a `Repeat` where the depth is a decision."""
    inner: Any = None
    """Channels inside the blocks, between their 1x1 convolutions; may be a decision. None: half of the output channels."""


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


B0 = EfficientNet(
    stem=32,
    stages=(
        MBStage(blocks=1, kernel=3, stride=1, expand=1, width=16),
        MBStage(blocks=2, kernel=3, stride=2, expand=6, width=24),
        MBStage(blocks=2, kernel=5, stride=2, expand=6, width=40),
        MBStage(blocks=3, kernel=3, stride=2, expand=6, width=80),
        MBStage(blocks=3, kernel=5, stride=1, expand=6, width=112),
        MBStage(blocks=4, kernel=5, stride=2, expand=6, width=192),
        MBStage(blocks=1, kernel=3, stride=1, expand=6, width=320),
    ),
    taps=(2, 4, 6),
)
"""EfficientNet-B0 (table 1), with the maps of strides 8, 16 and 32."""
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
    return scaled(B0, *SCALES[name])


def scaled(net: EfficientNet, width: float, depth: float) -> EfficientNet:
    """`net` with `width` times the channels and `depth` times the blocks, rounded as the official code rounds them."""
    stages = tuple(replace(one, blocks=math.ceil(depth * one.blocks), width=rounded(width * one.width)) for one in net.stages)
    return replace(net, stem=rounded(width * net.stem), stages=stages)


def rounded(channels: float) -> int:
    """The nearest multiple of 8, at least 8, and at least 90 % of `channels`.

    >>> rounded(1.2 * 24), rounded(1.2 * 16)
    (32, 24)
    """
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * channels else nearest + 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ResNet:
    """torchvision's ResNet without its classifier (He et al., 1512.03385): maps of strides 4, 8, 16 and 32."""

    depth: int
    """18, 34, 50 or 101; or 10, one basic block a stage, the proxy of NAS-FPN (1904.07392, section 4.2)."""
    weights: str | None = None
    """A file of torchvision's weights to begin with; None: random ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timm:
    """A network of the package timm, as far as its maps of stride 4 and more."""

    name: str
    """One of `timm.list_models()` that gives its features."""
    weights: str | None = None
    """A file of timm's weights to begin with; None: random ones."""


SMALL_SHUFFLENET = ShuffleNet(
    stem=8,
    stages=tuple(Stage(width=width, blocks=("shuffle3",) * blocks) for width, blocks in ((16, 2), (32, 3), (64, 3))),
)
"""This project's own, for small images on a CPU: maps of strides 4, 8 and 16. The hand-made network of DetNAS's tiny space."""
SMALL_EFFICIENTNET = EfficientNet(
    stem=8,
    stages=(
        MBStage(blocks=1, kernel=3, stride=1, expand=1, width=8),
        MBStage(blocks=1, kernel=3, stride=2, expand=4, width=16),
        MBStage(blocks=1, kernel=5, stride=2, expand=4, width=24),
        MBStage(blocks=1, kernel=3, stride=2, expand=4, width=40),
    ),
    taps=(2, 3),
    drop_path=0.0,
)
"""This project's own, for small images on a CPU: maps of strides 8 and 16. The base of EfficientDet's small families."""
Backbone = ShuffleNet | EfficientNet | ResNet | Timm
