"""The modules of NAS-FPN's pyramids (Ghiasi et al., 1904.07392, section 3)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from common.errors import UserError
from detection.layers import same_padding
from detection.necks.merges import NASFPN, Gate, Merge, merges


class _Conv(nn.Sequential):
    """Activation, 3x3 convolution, BatchNorm."""

    def __init__(self, width: int, lite: bool) -> None:
        super().__init__()
        self.add_module("act", nn.ReLU6() if lite else nn.ReLU())
        if lite:
            self.add_module("depthwise", nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False))
        self.add_module("conv", nn.Conv2d(width, width, 1 if lite else 3, padding=0 if lite else 1, bias=False))
        self.add_module("norm", nn.BatchNorm2d(width))


class Stack(nn.Module):
    """One copy of the cells."""

    def __init__(self, levels: Sequence[int], cells: Sequence[Merge], convs: nn.ModuleList, gate: Gate) -> None:
        """Runs `cells` with `convs`, one for each."""
        super().__init__()
        self.convs = convs
        self._levels, self._cells, self._gate = tuple(levels), tuple(cells), gate

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """The pyramid after the cells."""
        sizes = {level: (x.shape[-2], x.shape[-1]) for level, x in zip(self._levels, maps, strict=True)}
        pool, levels = list(maps), list(self._levels)
        outputs: dict[int, Tensor] = {}
        for cell, conv in zip(self._cells, self.convs, strict=True):
            i, j = cell.inputs
            one, other = (resampled(pool[k], cell.level - levels[k], sizes[cell.level]) for k in (i, j))
            merged = one + other if cell.op == "sum" else self._attention(one, other, levels[i], levels[j])
            for k in cell.orphans:
                merged = merged + pool[k]
            result = conv(merged)
            pool.append(result)
            levels.append(cell.level)
            if cell.output:
                outputs[cell.level] = result
        return tuple(outputs[level] for level in self._levels)

    def _attention(self, one: Tensor, other: Tensor, level: int, other_level: int) -> Tensor:
        """The map that gates, plus the other scaled by what the first says of each channel."""
        first_gates = level >= other_level if self._gate == "coarse-max" else level <= other_level
        gating, gated = (one, other) if first_gates else (other, one)
        scale = gating.amax((2, 3), keepdim=True) if self._gate == "coarse-max" else gating.mean((2, 3), keepdim=True)
        return gating + scale.sigmoid() * gated


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
    """A settled neck. Levels beyond the backbone's: 1x1 convolution, BatchNorm and pooling of the one before."""

    def __init__(self, net: NASFPN, channels: Sequence[int], strides: Sequence[int]) -> None:
        """Makes the neck.

        Args:
            net: settled.
            channels: of the backbone's maps.
            strides: of the backbone's maps, which begin at the first level and double.

        Raises:
            UserError: the maps do not fit the levels, or the wiring is wrong; see `merges`.
        """
        super().__init__()
        cells = merges(net.wiring)
        wanted = tuple(2**level for level in net.wiring.levels)
        if tuple(strides) != wanted[: len(strides)]:
            raise UserError(
                f"pyramid levels {net.wiring.levels}: their strides {wanted} do not begin with the backbone's {tuple(strides)}"
            )
        self.laterals = nn.ModuleList(_project(c, net.width) for c in channels)
        self.extra = nn.ModuleList(_project(net.width, net.width) for _ in wanted[len(strides) :])
        self.stacks = nn.Sequential(
            *(
                Stack(net.wiring.levels, cells, nn.ModuleList(_Conv(net.width, net.lite) for _ in cells), net.gate)
                for _ in range(net.stacks)
            )
        )

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """The backbone's maps -> one map of `width` channels for every level."""
        pyramid = [lateral(x) for lateral, x in zip(self.laterals, maps, strict=True)]
        for project in self.extra:
            pyramid.append(resampled(project(pyramid[-1]), 1, (0, 0)))
        return self.stacks(tuple(pyramid))


def _project(c_in: int, width: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(c_in, width, 1, bias=False), nn.BatchNorm2d(width))
