"""HNAS networks: one build for standalone networks and supernets (arXiv 2003.04619; details as in the released code)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from common.supernet import choose, fmap
from superres.hnas.space import FIRST, Cell, Network, Node
from superres.layers import Added, Enlarged, FromMean, Image, sub_pixel

TRANSPOSED: dict[int, tuple[int, int]] = {1: (3, 0), 2: (3, 1), 3: (5, 0), 4: (5, 1)}
"""Scale -> kernel and output padding of a transposed convolution; its stride is the scale, its padding 1.

That of scale 3 is a reconstruction: the released code has kernel 3 there, whose output is too small."""


class Attention(nn.Module):
    """Channel attention (RCAN, arXiv 1807.02758, section 3.3): every channel is scaled by a function of all channels' means."""

    def __init__(self, width: int) -> None:
        """Makes the layer; a third of the channels in between, one at least."""
        super().__init__()
        inner = max(1, width // 3)
        self.scale = nn.Sequential(nn.Conv2d(width, inner, 1), nn.ReLU(), nn.Conv2d(inner, width, 1), nn.Sigmoid())

    def forward(self, x: Image) -> Image:
        """The scaled map."""
        return x * self.scale(x.mean((2, 3), keepdim=True))


def _norm(width: int, net: Network, affine: bool = False) -> list[nn.Module]:
    return [nn.BatchNorm2d(width, affine=affine)] if net.searching else []


def _depthwise(width: int, kernel: int, dilation: int, net: Network, inplace: bool = False) -> list[nn.Module]:
    """ReLU, a depthwise and a 1x1 convolution. ReLU may change a map in place that nothing else reads."""
    return [
        nn.ReLU(inplace),
        nn.Conv2d(width, width, kernel, 1, dilation * (kernel // 2), dilation, groups=width, bias=False),
        nn.Conv2d(width, width, 1, bias=False),
        *_norm(width, net),
    ]


def _separable(kernel: int) -> Callable[[int, int, Network], nn.Module]:
    return lambda width, scale, net: nn.Sequential(
        *_depthwise(width, kernel, 1, net), *_depthwise(width, kernel, 1, net, inplace=True)
    )


def _dilated(kernel: int) -> Callable[[int, int, Network], nn.Module]:
    return lambda width, scale, net: nn.Sequential(*_depthwise(width, kernel, 2, net))


def _attending(width: int, scale: int, net: Network) -> nn.Module:
    """The residual block of RCAN. Its normalisations have weights in the released code, unlike those of other operations."""
    return Added(
        nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1),
            *_norm(width, net, affine=True),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, padding=1),
            *_norm(width, net, affine=True),
            Attention(width),
        )
    )


def _transposed(width: int, scale: int, net: Network) -> nn.Module:
    kernel, more = TRANSPOSED[scale]
    return nn.ConvTranspose2d(width, width, kernel, scale, 1, more)


def _interpolated(mode: Literal["nearest", "bilinear"]) -> Callable[[int, int, Network], nn.Module]:
    return lambda width, scale, net: nn.Identity() if scale == 1 else Enlarged(scale, mode)


MAKERS: dict[str, Callable[[int, int, Network], nn.Module]] = {
    "rcab": _attending,
    "skip_connect": lambda width, scale, net: nn.Identity(),
    "sep_conv_3x3": _separable(3),
    "sep_conv_5x5": _separable(5),
    "dil_conv_3x3": _dilated(3),
    "dil_conv_5x5": _dilated(5),
    "sub_pixel": lambda width, scale, net: sub_pixel(width, scale),
    "deconvolution": _transposed,
    "bilinear": _interpolated("bilinear"),
    "nearest": _interpolated("nearest"),
    "area": _interpolated("nearest"),
}
"""Name -> (channels, scale, network it is for) -> operation. At whole scales, to enlarge by area is to repeat pixels."""


class Pair(NamedTuple):
    """A source and the operation on it."""

    source: int
    operation: str


class Reading(nn.Module):
    """An operation on one of the states of a cell."""

    def __init__(self, pair: Pair, operation: nn.Module) -> None:
        super().__init__()
        self.source = pair.source
        self.operation = operation

    def forward(self, states: list[Tensor]) -> Tensor:
        """The operation's map."""
        return self.operation(states[self.source])


class NodeModule(nn.Module):
    """The sum of two operations on earlier nodes.

    In the network that is searched both draw from one stock: an operation on a source has the same weights as the first of the
    two and as the second.
    """

    def __init__(self, node: Node, scale: int, net: Network) -> None:
        """Makes the module of `node`, open or settled; `scale` is that of operations on nodes 0 and 1."""
        super().__init__()
        stock: dict[Pair, nn.Module] = {}

        def make(pair: Pair) -> nn.Module:
            if net.searching and pair in stock:
                return stock[pair]
            made = MAKERS[pair.operation](net.width, scale if pair.source < FIRST else 1, net)
            stock[pair] = Reading(pair, made)
            return stock[pair]

        pairs = zip(node.sources, node.operations, strict=True)
        self.first, self.second = (choose(fmap(Pair, source, name), make) for source, name in pairs)

    def forward(self, states: list[Tensor]) -> Tensor:
        """The sum."""
        return self.first(states) + self.second(states)


def entrances(channels: int, net: Network) -> list[nn.Module]:
    """What the two inputs of a cell go through, behind ReLU: a 1x1 convolution each.

    Args:
        channels: of an input.
        net: the network it is for.
    """
    return [nn.Sequential(nn.Conv2d(channels, net.width, 1, bias=False), *_norm(net.width, net)) for _ in range(FIRST)]


class CellModule(nn.Module):
    """A cell on the outputs of the two cells before it, behind ReLU.

    Attributes:
        raises: whether it is the upsampling cell.
    """

    def __init__(self, cell: Cell, net: Network, raises: bool) -> None:
        """Makes the module of `cell`, open or settled."""
        super().__init__()
        self.raises = raises
        self.before, self.last = entrances(len(cell.nodes) * net.width, net)
        scale = net.scale if raises else 1
        self.nodes = nn.ModuleList(NodeModule(node, scale, net) for node in cell.nodes)

    def forward(self, before: Image, last: Image) -> tuple[Tensor, Tensor]:
        """What the next cell reads: the last cell's output and its own; its own twice, where it raises the resolution."""
        states = [self.before(before), self.last(last)]
        for node in self.nodes:
            states.append(node(states))
        out = torch.cat(states[FIRST:], 1)
        return (out, out) if self.raises else (last, out)


class Row(nn.Module):
    """The cells of a network in a row, between its first and its last convolution."""

    def __init__(self, net: Network) -> None:
        """Makes the modules of `net`, open or settled."""
        super().__init__()
        wide = len(net.normal.nodes) * net.width
        self.stem = nn.Sequential(nn.Conv2d(3, wide, 3, padding=1, bias=False), *_norm(wide, net, affine=True))

        def cell(raises: bool) -> nn.Module:
            return CellModule(net.upsampling if raises else net.normal, net, raises)

        self.cells = nn.ModuleList(choose(fmap(lambda at, i=i: at == i, net.position), cell) for i in range(net.cells))
        self.picture = nn.Conv2d(wide, 3, 3, padding=1)

    def forward(self, x: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 i j"]:
        """What they make of differences from the mean colour."""
        before = last = self.stem(x)
        for cell in self.cells:
            before, last = cell(before, F.relu_(last))  # in place: `before` is behind ReLU too, and each output once
        return self.picture(last)


def build(net: Network, seed: int = 0) -> nn.Module:
    """The network of a description, open or settled; weights are a function of `seed`, and torch's defaults otherwise."""
    devices: list[int] = []
    with torch.random.fork_rng(devices):
        torch.default_generator.manual_seed(seed)
        return FromMean(Row(net), net.scale, net.residual)
