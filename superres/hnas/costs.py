"""What HNAS networks cost, as sums over their operations; exact, without building them.

Cells before the upsampling cell work on pictures of low resolution, cells after it on large ones. The cost of a network is
therefore that of its normal cell at either resolution, times the number of such cells, and of its upsampling cell once. Every
operation is counted once, on the meta device, at both resolutions.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from torch import nn

from common.cost.bounds import Least
from common.space import Arch
from superres.costs import Cost, cost_of
from superres.hnas.model import MAKERS, Row, entrances
from superres.hnas.space import FIRST, NORMAL, UPSAMPLING, Cell, Network, Node, arch_of


def added(costs: Iterable[Cost]) -> Cost:
    """The sum."""
    return Cost(*map(sum, zip(*costs, strict=True)))


def times(cost: Cost, copies: int) -> Cost:
    """So many copies."""
    return Cost(*(copies * value for value in cost))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """Costs of the parts of a network; pairs are of the low and of the high resolution.

    Attributes:
        ends: the first and the last convolution.
        entrances: the convolutions on the two inputs of a cell.
        normal: of each operation.
        upsampling: of each operation: on an input of the cell, which it enlarges, and on a node of it.
    """

    ends: Cost
    entrances: tuple[Cost, Cost]
    normal: list[tuple[Cost, Cost]]
    upsampling: list[tuple[Cost, Cost]]


@lru_cache(maxsize=8)
def tables_of(space: Network, side: int) -> Tables:
    """Costs of the parts of the networks of a space, open or settled, for pictures of low resolution of `side` pixels."""
    sides, width, wide = (side, space.scale * side), space.width, len(space.normal.nodes) * space.width
    with torch.device("meta"):
        ends = Row(replace(space, cells=0))  # without cells: the first and the last convolution
        both = nn.ModuleList(entrances(wide, space))
        normal = [MAKERS[name](width, 1, space) for name in NORMAL]
        outer, inner = ([MAKERS[name](width, scale, space) for name in UPSAMPLING] for scale in (space.scale, 1))
    low, high = (added(cost_of(one, wide, at) for one in both) for at in sides)
    return Tables(
        ends=added((cost_of(ends.stem, 3, sides[0]), cost_of(ends.picture, wide, sides[1]))),
        entrances=(low, high),
        normal=[(cost_of(one, width, sides[0]), cost_of(one, width, sides[1])) for one in normal],
        upsampling=[
            (cost_of(one, width, sides[0]), cost_of(two, width, sides[1])) for one, two in zip(outer, inner, strict=True)
        ],
    )


class HNASCosts:
    """Costs of the architectures of a space by name; see `common.task.Costs`.

    Args:
        space: the open network, as it is trained alone.
        side: of the square picture of low resolution, in pixels.
    """

    def __init__(self, space: Network, side: int) -> None:
        self._space, self._side = space, side

    def of(self, arch: Arch) -> dict[str, int]:
        """See `common.task.Costs.of`."""
        tables, before = tables_of(self._space, self._side), arch["position"]
        after = self._space.cells - 1 - before
        parts = [tables.ends, tables.entrances[0]]
        for copies, place in ((before, 0), (after, 1)):
            cell = [tables.entrances[place], *(tables.normal[option][place] for _, option in _pairs(arch, "normal"))]
            parts.append(times(added(cell), copies))
        parts += [tables.upsampling[option][source >= FIRST] for source, option in _pairs(arch, "upsampling")]
        return added(parts)._asdict()

    def least(self, metric: str) -> Least:
        """See `common.task.Costs.least`: skips and interpolation alone, enlarged by the last cell."""
        nodes = len(self._space.normal.nodes)
        skips, nearest = (
            Cell(nodes=(Node(sources=(0, 0), operations=(name, name)),) * nodes) for name in ("skip_connect", "nearest")
        )
        arch = arch_of(
            self._space, Network(normal=skips, upsampling=nearest, position=self._space.cells - 1, scale=self._space.scale)
        )
        return Least(self.of(arch)[metric])


def _pairs(arch: Arch, kind: str) -> list[tuple[int, int]]:
    """Source and number of the operation of every pair of a cell; the options of sources are their numbers."""
    found = []
    node = 0
    while f"{kind}.nodes.{node}.sources.0" in arch:
        for j in range(2):
            found.append((arch[f"{kind}.nodes.{node}.sources.{j}"], arch[f"{kind}.nodes.{node}.operations.{j}"]))
        node += 1
    return found
