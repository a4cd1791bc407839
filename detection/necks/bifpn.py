"""The modules of BiFPN and the pyramids it was compared with (Tan et al., 1911.09070, section 3).

A node resamples its inputs to its level, fuses them, and runs a swish, a separable 3x3 convolution and BatchNorm. Where the two
ends of an edge have other widths (first layer only), a 1x1 convolution and BatchNorm come before the pooling; every edge has its
own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from common.errors import UserError
from common.supernet import choose, repeat
from detection.layers import NORM, SameMaxPool2d, SeparableConv2d
from detection.necks.layered import BiFPN, BiFPNLayer, Fusion, Node, wired


class Fuse(nn.Module):
    """Adds maps of one shape.

    `fast`: sum of relu(w_i) x_i over (sum of relu(w) + 1e-4); `softmax`: weights softmax(w); `sum`: x_1 + x_2 + ...
    (paper, section 3.3). Weights begin at 1.
    """

    def __init__(self, rule: Fusion, count: int) -> None:
        """Makes the rule for `count` maps.

        Raises:
            UserError: there is no such rule.
        """
        super().__init__()
        if rule not in get_args(Fusion):
            raise UserError(f"fusion {rule!r} does not exist; choose one of {', '.join(get_args(Fusion))}")
        self.rule = rule
        self.weights = None if rule == "sum" else nn.Parameter(torch.ones(count))

    def scales(self) -> Tensor | None:
        """The factors of the maps, shape (count,); None: they are added as they are."""
        if self.weights is None:
            return None
        if self.rule == "softmax":
            return self.weights.softmax(0)
        positive = self.weights.relu()
        return positive / (positive.sum() + 1e-4)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """The fused map."""
        scales = self.scales()
        terms = maps if scales is None else [x * scale for x, scale in zip(maps, scales.unbind(), strict=True)]
        total = terms[0]
        for term in terms[1:]:
            total = total + term
        return total


class Resample(nn.Module):
    """An edge: brings a map to another level and width. Finer: max-pooling; coarser: nearest neighbours."""

    def __init__(self, c_in: int, width: int, down: int) -> None:
        """Makes the edge.

        Args:
            c_in: channels of the map.
            width: channels of the node.
            down: levels that the node is coarser by; negative where it is finer.
        """
        super().__init__()
        self.down = down
        self.project = nn.Sequential(nn.Conv2d(c_in, width, 1), NORM(width)) if c_in != width else None
        self.pool = SameMaxPool2d(2**down) if down > 0 else None

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        """The map at the node's level, which has `size` rows and columns."""
        if self.project is not None:
            x = self.project(x)
        if self.pool is not None:
            return self.pool(x)
        return F.interpolate(x, size=size) if self.down < 0 else x


class FuseNode(nn.Module):
    """Fusion, swish, separable 3x3 convolution, BatchNorm."""

    def __init__(self, node: Node, fusion: Any, pool: Sequence[tuple[int, int]], width: int) -> None:
        """Makes a node.

        Args:
            node: which maps of the pool it reads.
            fusion: rule, or a decision.
            pool: (level, channels) of the maps so far.
            width: channels of the node.
        """
        super().__init__()
        self.inputs = node.inputs
        self.edges = nn.ModuleDict({str(i): Resample(pool[i][1], width, node.level - pool[i][0]) for i in node.inputs})
        self.fuse = choose(fusion, lambda rule: Fuse(rule, len(node.inputs)))
        self.act = nn.SiLU(inplace=len(node.inputs) > 1)  # the sum of one map may be that map, which others read
        self.conv = SeparableConv2d(width, width)
        self.norm = NORM(width)

    def forward(self, pool: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
        """The node's map, which has `size` rows and columns."""
        maps = [edge(pool[i], size) for i, edge in zip(self.inputs, self.edges.values(), strict=True)]
        return self.norm(self.conv(self.act(self.fuse(maps))))


class Layer(nn.Module):
    """One layer: the maps of every level in, the last node of every level out."""

    def __init__(self, nodes: Sequence[Node], levels: Sequence[int], channels: Sequence[int], fusion: Any, width: int) -> None:
        """Makes a layer.

        Args:
            nodes: of the layer.
            levels: of the pyramid.
            channels: of the maps that come in, one for each level.
            fusion: rule, or a decision.
            width: channels of the nodes.
        """
        super().__init__()
        pool = [*zip(levels, channels, strict=True), *((node.level, width) for node in nodes)]
        self.nodes = nn.ModuleList(FuseNode(node, fusion, pool, width) for node in nodes)
        self._levels = [levels.index(node.level) for node in nodes]
        last = {level: i for i, (level, _) in enumerate(pool)}
        self._outputs = [last[level] for level in levels]

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """The pyramid after the layer."""
        sizes: list[tuple[int, int]] = [(x.shape[-2], x.shape[-1]) for x in maps]
        pool = list(maps)
        for node, level in zip(self.nodes, self._levels, strict=True):
            pool.append(node(pool, sizes[level]))
        return tuple(pool[i] for i in self._outputs)


class BiFPNNeck(nn.Module):
    """The neck of a description. Levels beyond the backbone's come from its last map: projected once, then pooled in turn."""

    def __init__(self, net: BiFPN, channels: Sequence[int], strides: Sequence[int]) -> None:
        """Makes the neck.

        Args:
            net: open or settled.
            channels: of the backbone's maps.
            strides: of the backbone's maps, which begin at the first level and double.

        Raises:
            UserError: the maps do not fit the levels, or the wiring does not exist.
        """
        super().__init__()
        nodes = wired(net.wiring, net.levels)
        wanted = tuple(2**level for level in net.levels)
        if tuple(strides) != wanted[: len(strides)]:
            raise UserError(
                f"pyramid levels {net.levels}: their strides {wanted} do not begin with the backbone's {tuple(strides)}"
            )
        more = len(wanted) - len(strides)
        extra = [Resample(channels[-1] if i == 0 else net.width, net.width, 1) for i in range(more)]
        self.extra = nn.ModuleList(extra)
        into = [*channels, *(net.width,) * more]

        def layer(i: int, one: BiFPNLayer) -> Layer:
            return Layer(nodes, net.levels, into if i == 0 else [net.width] * len(into), one.fusion, net.width)

        self.layers = repeat(net.layers, layer)

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """The backbone's maps -> one map of `width` channels for every level."""
        pyramid = list(maps)
        for edge in self.extra:
            pyramid.append(edge(pyramid[-1], (0, 0)))
        return self.layers(tuple(pyramid))
