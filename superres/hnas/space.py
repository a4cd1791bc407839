"""The space of HNAS as data (Guo et al. 2020, arXiv 2003.04619, section 3; details as in the released code).

A network is a row of cells on pictures of low resolution. One cell of the row, at the position that is searched, is the
upsampling cell; all others are normal cells. A cell reads the outputs of the two cells before it, its nodes 0 and 1. Nodes 2 to 5
each add up two operations, each on an earlier node; both may read the same node, by the same operation. The output is the nodes 2
to 5, joined over channels.

>>> from common.space.properties import size
>>> f"{size(open_network()):.2e}"
'1.63e+21'
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from common.errors import UserError
from common.space import Arch, OneOf

NORMAL = ("rcab", "skip_connect", "sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5")
"""Operations of the normal cell, in the order of the released code."""
UPSAMPLING = ("sub_pixel", "deconvolution", "bilinear", "nearest", "area")
"""Operations of the upsampling cell, in the order of the released code."""
FIRST = 2
"""The number of a cell's first node; 0 and 1 are its inputs."""
NODES = 4
"""Nodes of a cell."""
CELLS = 12
"""Cells of the published networks."""
WIDTH = 64
"""Channels of a node in the published networks; a cell's output has four times as many."""
SIDE = 48
"""Side of the picture of low resolution whose cost is that of a network, in pixels, whatever the training patches are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """The sum of two operations. The order of the fields is that in which the paper's controllers decide."""

    sources: tuple[Any, Any]
    """Numbers of the nodes read, or decisions between numbers."""
    operations: tuple[Any, Any]
    """Names of operations, or decisions between names; the first operation reads the first source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Nodes 2, 3, 4 and 5, in order."""

    nodes: tuple[Node, ...]
    """`nodes[i]` is node i + 2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A stem, a row of cells of which one raises the resolution, and a convolution that makes the picture."""

    normal: Cell
    upsampling: Cell
    position: Any
    """Place of the upsampling cell in the row, counted from 0, or a decision between places."""
    scale: int
    width: int = WIDTH
    """Channels of a node."""
    cells: int = CELLS
    searching: bool = False
    """Whether convolutions have BatchNorm, all but those of `sub_pixel` and `deconvolution`, and two equal operations of a node
    on one source are one and share their weights, as in the network that is searched. One that is trained alone has neither."""
    residual: bool = False
    """Whether the input, enlarged bicubically by torch's kernel (`superres.layers.Enlarged`), is added to the picture that the
    network makes, as in VDSR (arXiv 1511.04587). A departure: the paper's networks make the whole picture, which takes many more
    steps to learn."""


def open_cell(operations: Sequence[str], nodes: int = NODES) -> Cell:
    """A cell whose nodes read any two earlier nodes by any two operations.

    Args:
        operations: to choose from.
        nodes: of the cell.
    """

    def node(number: int) -> Node:
        sources, names = OneOf(*range(number)), OneOf(*operations)
        return Node(sources=(sources, sources), operations=(names, names))

    return Cell(nodes=tuple(node(number) for number in range(FIRST, FIRST + nodes)))


def open_network(
    scale: int = 2,
    width: int = WIDTH,
    cells: int = CELLS,
    nodes: int = NODES,
    *,
    searching: bool = False,
    residual: bool = False,
) -> Network:
    """The network with every decision open: by default the paper's.

    Args:
        scale: factor by which the pictures' sides grow.
        width: channels of a node.
        cells: of the row.
        nodes: of a cell.
        searching: as in `Network`.
        residual: as in `Network`.
    """
    return Network(
        normal=open_cell(NORMAL, nodes),
        upsampling=open_cell(UPSAMPLING, nodes),
        position=OneOf(*range(cells)),
        scale=scale,
        width=width,
        cells=cells,
        searching=searching,
        residual=residual,
    )


def cell_of(text: str) -> Cell:
    """A cell in the paper's notation.

    Args:
        text: for each node, in order, `operation source` twice, joined by commas.

    >>> cell_of("rcab 1, skip_connect 0").nodes
    (Node(sources=(1, 0), operations=('rcab', 'skip_connect')),)
    """
    pairs = [part.split() for part in text.split(",")]
    nodes = []
    for (first, one), (second, other) in zip(pairs[::2], pairs[1::2], strict=True):
        nodes.append(Node(sources=(int(one), int(other)), operations=(first, second)))
    return Cell(nodes=tuple(nodes))


_A = Network(
    normal=cell_of(
        "skip_connect 1, sep_conv_5x5 1, dil_conv_3x3 0, dil_conv_5x5 1, skip_connect 1, dil_conv_3x3 1, dil_conv_5x5 1, "
        "sep_conv_3x3 4"
    ),
    upsampling=cell_of(
        "deconvolution 0, bilinear 0, area 1, deconvolution 0, area 3, bilinear 0, bilinear 1, deconvolution 3",
    ),
    position=9,
    scale=2,
)
_B = Network(
    normal=cell_of(
        "dil_conv_3x3 0, rcab 1, dil_conv_5x5 0, sep_conv_5x5 1, sep_conv_3x3 1, dil_conv_3x3 0, sep_conv_3x3 2, dil_conv_5x5 3"
    ),
    upsampling=cell_of("sub_pixel 1, bilinear 1, bilinear 1, sub_pixel 0, sub_pixel 3, sub_pixel 3, deconvolution 0, nearest 1"),
    position=11,
    scale=2,
)
_C = Network(
    normal=cell_of(
        "rcab 1, skip_connect 1, dil_conv_3x3 1, skip_connect 0, dil_conv_5x5 0, rcab 3, dil_conv_5x5 4, dil_conv_3x3 0"
    ),
    upsampling=cell_of("sub_pixel 0, nearest 1, deconvolution 2, nearest 0, deconvolution 3, sub_pixel 2, bilinear 0, area 0"),
    position=9,
    scale=2,
)
PUBLISHED: Mapping[str, Network] = {"HNAS-A": _A, "HNAS-B": _B, "HNAS-C": _C}
"""The released networks. Positions count from 0.

The released code's comments say 10, 12 and 12, counted from 1. For HNAS-C the paper's cost fits 10 alone."""
COUNTS = {"HNAS-A": (974_019, 3_062_956_032), "HNAS-B": (2_141_290, 4_821_545_856), "HNAS-C": None}
"""Released networks -> parameters and multiply-adds of convolutions, for a picture of 48x48 pixels at scale 2."""


def arch_of(space: Network, network: Network) -> Arch:
    """The architecture of an open `space` that has the cells and the position of a settled network.

    Raises:
        UserError: the space has no such cell or position.
    """
    choices = {"position": _option("position", space.position, network.position)}
    for kind in ("normal", "upsampling"):
        opened, settled = getattr(space, kind), getattr(network, kind)
        if len(opened.nodes) != len(settled.nodes):
            raise UserError(f"the {kind} cell has {len(settled.nodes)} node(s); cells of the space have {len(opened.nodes)}")
        for i, (node, wanted) in enumerate(zip(opened.nodes, settled.nodes, strict=True)):
            for part in ("sources", "operations"):
                for j in range(2):
                    path = f"{kind}.nodes.{i}.{part}.{j}"
                    choices[path] = _option(path, getattr(node, part)[j], getattr(wanted, part)[j])
    return Arch(choices)


def _option(path: str, decision: OneOf, value: Any) -> int:
    if value not in decision.options:
        raise UserError(f"{path}: the space has no {value!r}; it has {', '.join(map(str, decision.options))}")
    return decision.options.index(value)


def by_hand(space: Network) -> Network:
    """Cells without a search: residual separable convolutions of the cell before, enlarged by sub-pixel convolution at the end.

    Every node of the normal cell is a separable 3x3 convolution of the cell before, and that cell itself; in the upsampling cell,
    a sub-pixel convolution of the cell before, and its nearest pixels.
    """
    normal = (Node(sources=(1, 1), operations=("sep_conv_3x3", "skip_connect")),) * len(space.normal.nodes)
    raised = (Node(sources=(1, 1), operations=("sub_pixel", "nearest")),) * len(space.upsampling.nodes)
    return replace(space, normal=Cell(nodes=normal), upsampling=Cell(nodes=raised), position=space.cells - 1)
