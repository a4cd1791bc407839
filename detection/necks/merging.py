"""The modules of NAS-FPN's pyramids (Ghiasi et al., 1904.07392, section 3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from common.errors import UserError
from common.supernet import conv2d, fmap, weightless
from detection.layers import same_padding
from detection.necks.merges import NASFPN, Gate, Wiring, merges


class _Conv(nn.Sequential):
    """Activation, 3x3 convolution, BatchNorm."""

    def __init__(self, width: int, lite: bool) -> None:
        super().__init__()
        self.add_module("act", nn.ReLU6() if lite else nn.ReLU())
        if lite:
            self.add_module("depthwise", nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False))
        self.add_module("conv", nn.Conv2d(width, width, 1 if lite else 3, padding=0 if lite else 1, bias=False))
        self.add_module("norm", nn.BatchNorm2d(width))


class Merging(nn.Module):
    """What one cell does before its convolution: two maps of the pool, and its orphans, at the level of the cell."""

    def __init__(self, wiring: Wiring, number: int, gate: Gate) -> None:
        """Merges as cell `number` of a settled wiring does, from 0.

        Raises:
            UserError: the wiring is wrong; see `merges`.
        """
        super().__init__()
        cells = merges(wiring)
        self._cell, self._gate, self._levels = cells[number], gate, wiring.levels
        self._pool = (*wiring.levels, *(cell.level for cell in cells))

    def forward(self, pool: Sequence[Tensor]) -> Tensor:
        """The maps made so far, the inputs first -> the merged map."""
        cell, (i, j) = self._cell, self._cell.inputs
        size = pool[self._levels.index(cell.level)].shape[-2:]
        one, other = (resampled(pool[k], cell.level - self._pool[k], (size[0], size[1])) for k in (i, j))
        merged = one + other if cell.op == "sum" else self._attention(one, other, self._pool[i], self._pool[j])
        for k in cell.orphans:
            merged = merged + pool[k]
        return merged

    def _attention(self, one: Tensor, other: Tensor, level: int, other_level: int) -> Tensor:
        """The map that gates, plus the other scaled by what the first says of each channel."""
        first_gates = level >= other_level if self._gate == "coarse-max" else level <= other_level
        gating, gated = (one, other) if first_gates else (other, one)
        scale = gating.amax((2, 3), keepdim=True) if self._gate == "coarse-max" else gating.mean((2, 3), keepdim=True)
        return gating + scale.sigmoid() * gated


class Ascending(nn.Module):
    """The last maps of the pool, which lie in a settled order of levels, by ascending level."""

    def __init__(self, order: Sequence[int]) -> None:
        """Sorts by `order`, the levels of the maps."""
        super().__init__()
        self._first = -len(order)
        self._places = [order.index(level) for level in sorted(order)]

    def forward(self, pool: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """All maps -> one of each level."""
        return tuple(pool[self._first + place] for place in self._places)


class Stack(nn.Module):
    """One copy of the cells."""

    def __init__(self, net: NASFPN) -> None:
        """Makes the cells of a pyramid, settled or open.

        Raises:
            UserError: the wiring is wrong; see `merges`.
        """
        super().__init__()
        wiring = net.wiring
        levels = [*wiring.between, *(fmap(lambda order, i=i: order[i], wiring.order) for i in range(len(wiring.levels)))]
        self.merges = nn.ModuleList(
            weightless(wiring, lambda settled, i=i: Merging(settled, i, net.gate), sized_by=level)
            for i, level in enumerate(levels)
        )
        self.convs = nn.ModuleList(_Conv(net.width, net.lite) for _ in levels)
        self.ascending = weightless(wiring.order, Ascending)

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """The pyramid after the cells."""
        pool = list(maps)
        for merge, conv in zip(self.merges, self.convs, strict=True):
            pool.append(conv(merge(pool)))
        return self.ascending(pool)


def resampled(x: Tensor, down: int, size: tuple[int, int]) -> Tensor:
    """A map `down` levels coarser: the maxima of squares without overlap; finer if negative: nearest neighbours.

    Args:
        x: (n, c, h, w).
        down: levels.
        size: rows and columns of the result.
    """
    if down < 0:
        return F.interpolate(x, size=size)
    if down == 0:
        return x
    stride = 2**down
    (top, bottom), (left, right) = (same_padding(n, stride, stride) for n in x.shape[-2:])
    if top or bottom or left or right:
        x = F.pad(x, (left, right, top, bottom), value=-torch.inf)
    return F.max_pool2d(x, stride)


class NASFPNNeck(nn.Module):
    """A neck, settled or open. Levels beyond the backbone's: 1x1 convolution, BatchNorm and pooling of the one before."""

    def __init__(self, net: NASFPN, channels: Sequence[int], strides: Sequence[int]) -> None:
        """Makes the neck.

        Args:
            net: settled or open.
            channels: of the backbone's maps.
            strides: of the backbone's maps, which begin at the first level and double.

        Raises:
            UserError: the maps do not fit the levels, or the wiring is wrong; see `merges`.
        """
        super().__init__()
        self.anytime = net.anytime
        wanted = tuple(2**level for level in net.wiring.levels)
        if tuple(strides) != wanted[: len(strides)]:
            raise UserError(
                f"pyramid levels {net.wiring.levels}: their strides {wanted} do not begin with the backbone's {tuple(strides)}"
            )
        self.laterals = nn.ModuleList(_project(c, net.width) for c in channels)
        self.extra = nn.ModuleList(_project(net.width, net.width) for _ in wanted[len(strides) :])
        self.stacks = nn.Sequential(*(Stack(net) for _ in range(net.stacks)))

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """The backbone's maps -> one map of `width` channels for every level."""
        return self.stacks(self._inputs(maps))

    def every(self, maps: Sequence[Tensor]) -> list[tuple[Tensor, ...]]:
        """The backbone's maps -> the pyramid after each stack."""
        pyramids = [self._inputs(maps)]
        for stack in self.stacks:
            pyramids.append(stack(pyramids[-1]))
        return pyramids[1:]

    def _inputs(self, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
        pyramid = [lateral(x) for lateral, x in zip(self.laterals, maps, strict=True)]
        for project in self.extra:
            pyramid.append(resampled(project(pyramid[-1]), 1, (0, 0)))
        return tuple(pyramid)


def _project(c_in: Any, width: int) -> nn.Sequential:
    return nn.Sequential(conv2d(c_in, width, 1, bias=False), nn.BatchNorm2d(width))
