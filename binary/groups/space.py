"""The space of Phan et al. (2020, arXiv 2005.06305) as data: a number of groups for each 3x3 convolution of a binary MobileNet.

The candidates of the paper could not be read; those here are a reconstruction, and so are the shortcuts, the shifted activations
(those of ReActNet, 2003.03488, by authors in common) and the shared weights.

>>> from common.space.properties import size
>>> f"{size(open_network()):.2e}"
'9.69e+10'
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from common.errors import UserError
from common.space import Arch, OneOf

DEPTHWISE = "depthwise"
"""As many groups as channels."""
GROUPS: tuple[int | str, ...] = (1, 2, 4, 8, 16, 32, DEPTHWISE)
"""Of every 3x3 convolution."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A block of the body."""

    width: int
    """Channels of its output; as many as those of its input, or twice as many."""
    stride: int
    """Of its 3x3 convolution."""


MOBILENET = (
    *(Stage(64, 1), Stage(128, 2), Stage(128, 1), Stage(256, 2), Stage(256, 1), Stage(512, 2)),
    *(Stage(512, 1),) * 5,
    *(Stage(1024, 2), Stage(1024, 1)),
)
"""The 13 blocks of MobileNet-V1."""
STEM = 32
"""Channels of the first convolution, which has real weights and stride 2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A real 3x3 convolution, blocks of a binary grouped 3x3 and a binary 1x1 convolution, and a linear classifier."""

    groups: tuple[Any, ...]
    """Groups of each block's 3x3 convolution, a number or `DEPTHWISE`, or decisions between them."""
    blocks: tuple[Stage, ...] = MOBILENET
    stem: int = STEM
    """Channels of the first convolution."""
    stride: int = 2
    """Of the first convolution."""
    classes: int = 1000


def open_network(blocks: Sequence[Stage] = MOBILENET, stem: int = STEM, stride: int = 2, classes: int = 1000) -> Network:
    """The network with every number of groups open; each divides the channels that it groups."""
    groups = []
    for width in inputs(blocks, stem):
        groups.append(OneOf(*(n for n in GROUPS if isinstance(n, str) or width % n == 0)))
    return Network(groups=tuple(groups), blocks=tuple(blocks), stem=stem, stride=stride, classes=classes)


def inputs(blocks: Sequence[Stage], stem: int) -> list[int]:
    """The channels that each block reads.

    Raises:
        UserError: a block's width is neither that of its input nor twice as many.
    """
    found = [stem, *(block.width for block in blocks)]
    for i, (before, after) in enumerate(pairwise(found)):
        if after not in (before, 2 * before):
            raise UserError(f"block {i} makes {after} channels of {before}; its shortcut needs {before} or {2 * before}")
    return found[:-1]


def with_groups(space: Network, groups: Sequence[int | str]) -> Network:
    """The settled network of these numbers of groups.

    Raises:
        UserError: there are too few or too many, or one does not divide the channels of its block.
    """
    widths = inputs(space.blocks, space.stem)
    if len(groups) != len(widths):
        raise UserError(f"{len(groups)} numbers of groups for {len(widths)} blocks: give one for each, or one for all")
    for i, (number, width) in enumerate(zip(groups, widths, strict=True)):
        if number != DEPTHWISE and (isinstance(number, str) or number < 1 or width % number):
            raise UserError(f"block {i} has {width} channels, which {number} groups do not divide; give a divisor or {DEPTHWISE}")
    return replace(space, groups=tuple(groups))


def arch_of(space: Network, groups: Sequence[int | str]) -> Arch:
    """The architecture of an open network with these numbers of groups, which are options of it."""
    return Arch(
        {f"groups.{i}": decision.options.index(n) for i, (decision, n) in enumerate(zip(space.groups, groups, strict=True))}
    )
