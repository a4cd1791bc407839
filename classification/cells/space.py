"""The DARTS cell space as data (Liu et al. 2019, arXiv 1806.09055, section 2.1; skeletons as in the official code).

A network is a stack of two kinds of cell, normal and reduction. A cell has two inputs, nodes 0 and 1 (the outputs of the two
cells before it), and nodes 2, 3, ...: each adds up what its edges give, an edge being an operation on an earlier node. What a
search changes in the network is a field of its description, so that one build makes both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from common.errors import UserError
from common.space import Arch, ManyOf, OneOf, Where, decisions

OPERATIONS = (
    "none",
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
"""The operations of the search space, in the order of the official code."""
WITHOUT_NONE = OPERATIONS[1:]
GOLD = ("skip_connect", "sep_conv_3x3")
"""The operations of GOLD-NAS (arXiv 2007.03331, section 3.1)."""
FAMILIES = {
    "darts": OPERATIONS,
    "nasnet": (
        *("skip_connect", "conv_3x1_1x3", "conv_7x1_1x7", "dil_conv_3x3", "avg_pool_3x3", "max_pool_3x3", "max_pool_5x5"),
        *("max_pool_7x7", "conv 1x1", "conv 3x3", "sep_conv_3x3", "sep_conv_5x5", "sep_conv_7x7"),
    ),
    "amoebanet": (
        *("skip_connect", "sep_conv_3x3", "sep_conv_5x5", "sep_conv_7x7", "avg_pool_3x3", "max_pool_3x3", "dil_conv_3x3"),
        "conv_7x1_1x7",
    ),
    "pnas": (
        *("sep_conv_3x3", "sep_conv_5x5", "sep_conv_7x7", "conv_7x1_1x7", "skip_connect", "avg_pool_3x3", "max_pool_3x3"),
        "dil_conv_3x3",
    ),
    "enas": ("skip_connect", "sep_conv_3x3", "sep_conv_5x5", "avg_pool_3x3", "max_pool_3x3"),
}
"""The operations of five published cell spaces, of 8, 13, 8, 8 and 5 (Radosavovic et al. 2019, arXiv 1905.13214, section 4).

Departure: `open_cell` concatenates all nodes, whereas NASNet, AmoebaNet and ENAS concatenate only nodes that no other node reads.
"""
NODES = {"darts": 4, "nasnet": 5, "amoebanet": 5, "pnas": 5, "enas": 5}
"""Nodes of a cell of these spaces. A run has those of `space.nodes` whatever the family; the study of design spaces has these."""
NOISE = "noise"
"""Gaussian noise in the place of its input: an operation that can only harm (space S4 of Zela et al., arXiv 1909.09656)."""

FIRST = 2
"""The number of a cell's first node; 0 and 1 are its inputs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """An operation on the output of an earlier node."""

    source: int
    """Node read: 0 or 1 (the cell's inputs), or an earlier node of the cell."""
    op: Any
    """Name of an operation, or a decision between names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """The sum of its edges. A node without edges is zeros; `existing` takes such nodes out of a settled cell."""

    edges: Any
    """A tuple of `Edge`, or a decision (`ManyOf`) which of them are taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Nodes 2, 3, ... in order, and those whose outputs, joined over channels, are the cell's."""

    nodes: tuple[Node, ...]
    """`nodes[i]` is node i + 2."""
    concat: tuple[int, ...]
    """Numbers of nodes, ascending."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skeleton:
    """How the published networks around cells are made."""

    width: int
    """Channels of a node in the first cells of the network that is trained at last."""
    cells: int
    """Cells of that network."""
    classes: int
    image: int
    """Edge of its square images, in pixels."""


SKELETONS = {
    "cifar": Skeleton(width=36, cells=20, classes=10, image=32),
    "imagenet": Skeleton(width=48, cells=14, classes=1000, image=224),
}
"""Name -> skeleton: `cifar` has a stem of one convolution at stride 1, `imagenet` one of three at stride 8 (official code)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A stem, a stack of cells, global average pooling and a linear layer.

    Cells number `cells // 3` and `2 * cells // 3`, counted from 0, are reduction cells: they halve the resolution and double the
    width. All cells of a kind are alike, and share their decisions.
    """

    normal: Cell
    reduction: Cell
    width: int
    """Channels of a node in the first cells; even."""
    cells: int
    classes: int
    skeleton: str = "cifar"
    """Kind of stem: a name of `SKELETONS`."""
    affine: bool = True
    """Whether normalisations inside cells have weights; not in a search, where they would undo the mixing weights."""
    pool_norm: bool = False
    """Whether a normalisation without weights follows every pooling operation, as in a search."""
    partial: int = 1
    """An edge's operation sees 1 channel of so many, the others pass by (PC-DARTS, arXiv 1907.05737, section 3.1)."""
    merged: bool = False
    """Whether convolutions of an edge share what follows their depthwise kernels, and are merged in a search (MergeNAS)."""
    own: tuple[Cell, ...] = ()
    """A cell for each place in the stack, in order, in the place of the two kinds; none: all cells of a kind are alike."""
    auxiliary: bool = False
    """Whether a second classifier reads the last reduction cell during training."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Genotype:
    """A settled cell of each kind; in both all nodes that are read or joined exist."""

    normal: Cell
    reduction: Cell


def open_cell(nodes: int = 4, operations: Sequence[str] = OPERATIONS, least: int = 2) -> Cell:
    """The cell that is searched: every node takes two different inputs, each through one of the operations.

    Args:
        nodes: how many nodes.
        operations: on every edge. The paper searches with `none`, an edge that gives zeros, and never keeps it, so that its count
            of 180 * 49**4 cells is of the space without.
        least: inputs that a node takes at least: 0 in FairDARTS (arXiv 1911.12126, section 4.3).
    """

    def node(number: int) -> Node:
        return Node(edges=ManyOf([Edge(source=i, op=OneOf(*operations)) for i in range(FIRST + number)], least, 2))

    return Cell(nodes=tuple(map(node, range(nodes))), concat=tuple(range(FIRST, FIRST + nodes)))


def gated_cell(nodes: int, operations: Sequence[str]) -> Cell:
    """The cell of GOLD-NAS (arXiv 2007.03331, section 3.1): a node takes any operations on any inputs, several on one as well."""

    def node(number: int) -> Node:
        edges = [Edge(source=source, op=op) for source in range(FIRST + number) for op in operations]
        return Node(edges=ManyOf(edges, 0, len(edges)))

    return Cell(nodes=tuple(map(node, range(nodes))), concat=tuple(range(FIRST, FIRST + nodes)))


def darts_space(
    *,
    nodes: int = 4,
    operations: Sequence[str] = OPERATIONS,
    least: int = 2,
    gated: bool = False,
    width: int = 16,
    cells: int = 8,
    classes: int = 10,
    skeleton: str = "cifar",
    partial: int = 1,
    merged: bool = False,
) -> Network:
    """The open network that is searched: by default the paper's, of 1,930,618 parameters (section 3.1.1).

    Args:
        nodes: nodes of a cell.
        operations: as in `open_cell`.
        least: as in `open_cell`.
        gated: cells of GOLD-NAS, each with decisions of its own.
        width: channels of a node in the first cells.
        cells: how many.
        classes: of images.
        skeleton: a name of `SKELETONS`.
        partial: 4 is PC-DARTS on CIFAR-10, 2 on ImageNet.
        merged: as in `Network`.
    """
    cell: Any = gated_cell(nodes, operations) if gated else open_cell(nodes, operations, least)
    if gated or least < 2:
        cell = Where(cell, read, "a cell needs a node that reads an input")
    return Network(
        normal=Cell(nodes=(), concat=()) if gated else cell,
        reduction=Cell(nodes=(), concat=()) if gated else cell,
        own=(cell,) * cells if gated else (),
        width=width,
        cells=cells,
        classes=classes,
        skeleton=skeleton,
        affine=False,
        pool_norm=True,
        partial=partial,
        merged=merged,
    )


def standalone(genotype: Genotype, skeleton: str = "cifar", *, auxiliary: bool = False) -> Network:
    """The network in which a cell is trained at last and measured.

    Raises:
        UserError: no such skeleton.
    """
    if skeleton not in SKELETONS:
        raise UserError(f"skeleton {skeleton!r} does not exist; choose one of {', '.join(SKELETONS)}")
    form = SKELETONS[skeleton]
    return Network(
        normal=genotype.normal,
        reduction=genotype.reduction,
        width=form.width,
        cells=form.cells,
        classes=form.classes,
        skeleton=skeleton,
        auxiliary=auxiliary,
    )


def existing(cell: Cell) -> Cell:
    """A settled cell without edges from nodes that have no edges, and without those nodes in its output.

    Nodes keep their numbers. Cells of FairDARTS need it (arXiv 1911.12126): their nodes have 0 to 2 inputs. A node whose edges
    are all `none` stays, as zeros: so it is in the published counts of SNAS's cells, and in the supernet that it is taken from.

    Raises:
        UserError: nothing is left of the output.
    """
    known = set(range(FIRST))
    nodes = []
    for number, node in enumerate(cell.nodes, FIRST):
        edges = tuple(edge for edge in node.edges if edge.source in known)
        if edges:
            known.add(number)
        nodes.append(Node(edges=edges))
    concat = tuple(number for number in cell.concat if number in known)
    if not concat:
        raise UserError(f"none of the nodes {list(cell.concat)} of the output has an input; give one of them an edge")
    return Cell(nodes=tuple(nodes), concat=concat)


def cells_of(network: Network) -> dict[str, Cell]:
    """The cells of a network by their place in its description."""
    if network.own:
        return {f"own.{i}": cell for i, cell in enumerate(network.own)}
    return {"normal": network.normal, "reduction": network.reduction}


def arch_of(space: Network, network: Network) -> Arch | None:
    """The architecture of `space`, a `darts_space`, that has the cells of a settled network; none if it cannot have them."""
    known = decisions(space)
    choices: dict[str, int] = {}
    wanted = cells_of(network)
    for kind, opened in cells_of(space).items():
        opened = opened.item if isinstance(opened, Where) else opened
        if len(opened.nodes) != len(wanted[kind].nodes) or opened.concat != wanted[kind].concat:
            return None
        for i, node in enumerate(wanted[kind].nodes):
            path = f"{kind}.nodes.{i}.edges"
            edges: Any = known[path]
            members = [_member(edges.options, edge) for edge in node.edges]
            taken = sorted({member for member in members if member is not None})
            if not edges.low <= len(taken) == len(node.edges) <= edges.high:
                return None
            choices[path] = edges.rank(taken)
            for member, edge in sorted(zip(taken, sorted(node.edges, key=lambda edge: edge.source), strict=True)):
                if isinstance(names := edges.options[member].op, OneOf):
                    choices[f"{path}[{edges.labels[member]}].op"] = names.options.index(edge.op)
    return Arch(choices)


def _member(members: Sequence[Edge], edge: Edge) -> int | None:
    """The number of the member that can be `edge`."""
    can = (i for i, m in enumerate(members) if m.source == edge.source and edge.op in getattr(m.op, "options", (m.op,)))
    return next(can, None)


def read(cell: Cell) -> bool:
    """Whether anything that a settled cell joins has an input that leads to the cell's own."""
    known = set(range(FIRST))
    for number, node in enumerate(cell.nodes, FIRST):
        if any(edge.source in known for edge in node.edges):
            known.add(number)
    return bool(known & set(cell.concat))


def genotype_of(network: Network) -> Genotype:
    """The cells of a settled network."""
    return Genotype(normal=network.normal, reduction=network.reduction)


COUNTS = {
    "DARTS_V1": (3_169_414, 500_987_520),
    "DARTS_V2": (3_349_342, 528_359_040),
    "SNAS_mild": (2_661_382, 422_218_368),
    "SNAS_aggressive": (2_313_622, 374_912_640),
    "FairDARTS_a": (2_360_782, 371_455_200),
    "NASNet": (3_830_950, 603_452_448),
}
"""Published cells -> parameters and MACs in CIFAR's skeleton, without the auxiliary classifier."""


def in_space(genotype: Genotype, skeleton: str = "cifar") -> tuple[Network, Arch]:
    """The network of `standalone` as an open description and the architecture it is; settled as it is where no space has it."""
    network = standalone(genotype, skeleton)
    whole = open_cell(len(genotype.normal.nodes))
    space = replace(network, normal=whole, reduction=whole)
    arch = arch_of(space, network)
    return (network, Arch({})) if arch is None else (space, arch)
