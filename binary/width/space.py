"""The two spaces of Shen et al. (2019, arXiv 1909.07378) as data: a ratio for each width of a binary network.

Details of the layers are those of the released code, which has the networks and what was found, not the search. The six ratios
are a reconstruction: those from 0.5 to 4 occur in the released networks.

>>> from common.space.properties import size
>>> size(open_vgg()), f"{size(open_resnet()):.2e}"
(46656, '2.18e+09')
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from common.space import Arch, OneOf

RATIOS = (0.25, 0.5, 1, 2, 3, 4)
"""Of every width."""
VGG_BASE = (128, 128, 256, 256, 512, 512)
"""Output channels of VGG-small's convolutions at ratio 1."""
RESNET_BASE = (64, 128, 256, 512)
"""Channels of ResNet-18's stages at ratio 1."""
BLOCKS = 2
"""Blocks of a stage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VGG:
    """3x3 convolutions in a row, every second one before a max-pool of 2, and a linear classifier on the whole last map.

    The first convolution and the classifier have real weights.
    """

    ratios: tuple[Any, ...]
    """Of the output of each convolution, or decisions between ratios."""
    base: tuple[int, ...] = VGG_BASE
    """Channels at ratio 1; as many as ratios."""
    classes: int = 10
    side: int = 32
    """Of the images, in pixels; divided by 2 at each max-pool."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResNet:
    """ResNet-18 with binary convolutions: a stem, four stages of two blocks of two 3x3 convolutions, a linear classifier."""

    stages: tuple[Any, ...]
    """Ratio of each stage's width, which its shortcuts join; the first is also that of the stem."""
    inner: tuple[Any, ...]
    """Ratio of the width between the two convolutions of each block, of the same base as the block's stage."""
    base: tuple[int, ...] = RESNET_BASE
    """Channels at ratio 1."""
    classes: int = 1000
    stem: Literal["imagenet", "small"] = "imagenet"
    """A 7x7 convolution of stride 2 and a max-pool, or a 3x3 convolution of stride 1 for images of some 32 pixels."""
    shortcuts: Literal["blocks", "convolutions"] = "blocks"
    """Around a block, or around every convolution as in Bi-Real Net (1808.00278)."""
    downsample: Literal["binary", "real"] = "binary"
    """The 1x1 convolution of shortcuts that change the resolution: binary with stride 2, or real behind an average pool."""
    activations: Literal["zero-one", "sign"] = "zero-one"
    """What binary convolutions read, 0 and 1 or -1 and 1; their weights are scaled by layer in the first case, else by filter."""


Network = VGG | ResNet


def open_vgg(base: Sequence[int] = VGG_BASE, classes: int = 10, side: int = 32) -> VGG:
    """VGG-small with every width open."""
    return VGG(ratios=tuple(OneOf(*RATIOS) for _ in base), base=tuple(base), classes=classes, side=side)


def open_resnet(
    base: Sequence[int] = RESNET_BASE, classes: int = 1000, stem: Literal["imagenet", "small"] = "imagenet"
) -> ResNet:
    """ResNet-18 with every width open."""
    return ResNet(
        stages=tuple(OneOf(*RATIOS) for _ in base),
        inner=tuple(OneOf(*RATIOS) for _ in range(BLOCKS * len(base))),
        base=tuple(base),
        classes=classes,
        stem=stem,
    )


def with_ratios(space: Network, ratios: Sequence[float]) -> Network:
    """The settled network of one ratio for each decision, in order: stages first, then inner widths."""
    if isinstance(space, VGG):
        return replace(space, ratios=tuple(ratios))
    count = len(space.stages)
    return replace(space, stages=tuple(ratios[:count]), inner=tuple(ratios[count:]))


def length(space: Network) -> int:
    """How many ratios a network has."""
    return len(space.ratios) if isinstance(space, VGG) else len(space.stages) + len(space.inner)


def arch_of(space: Network, ratios: Sequence[float]) -> Arch:
    """The architecture of an open network that has these ratios."""
    names = (
        [f"ratios.{i}" for i in range(len(space.ratios))]
        if isinstance(space, VGG)
        else [*(f"stages.{i}" for i in range(len(space.stages))), *(f"inner.{i}" for i in range(len(space.inner)))]
    )
    return Arch({name: RATIOS.index(ratio) for name, ratio in zip(names, ratios, strict=True)})


FOUND: Mapping[str, tuple[float, ...]] = {
    "VGG-Auto-A": (0.5, 2, 1, 1, 1, 0.5),
    "VGG-Auto-B": (2, 2, 4, 2, 4, 0.5),
    "Res18-Auto-A": (2, 4, 2, 2, 2, 4, 4, 4, 4, 4, 4, 4),
    "Res18-Auto-B": (3, 4, 4, 3, 1, 4, 4, 4, 3, 3, 3, 3),
}
"""The released networks: a ratio for each decision."""
COUNTS: Mapping[str, Mapping[str, int]] = {
    "VGG-Auto-A": {"binary_weights": 3_686_400, "bops": 603_979_776, "macs": 1_810_432},
    "VGG-Auto-B": {"binary_weights": 21_823_488, "bops": 3_321_888_768, "macs": 7_118_848},
    "Res18-Auto-A": {"binary_weights": 94_339_072, "bops": 15_850_799_104, "macs": 237_051_904},
    "Res18-Auto-B": {"binary_weights": 113_893_376, "bops": 18_638_176_256, "macs": 355_577_856},
}
"""What the released networks cost, computed from their definitions; 495 and 660 million operations were published of the last
two, which these counts are 2 % below."""
