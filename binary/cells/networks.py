"""The networks of a search for binary cells, for the core: those of a run, of the laws, and the published ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from math import inf
from random import Random
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from binary.cells.found import SIZES, published_network
from binary.cells.model import build
from binary.cells.model import check as fits
from binary.cells.settings import Settings
from binary.cells.space import FORMS, Network, alone, binary_space, standalone
from binary.costs import BINARY
from binary.real import REAL, outside_of
from classification.cells import genotypes
from classification.cells.drawing import draw_cells
from classification.cells.space import FIRST, Cell, Edge, Node, arch_of, cells_of, open_cell
from common.cost.costs import Tabulated, tabulated
from common.cost.count import count
from common.space import Arch, decode, sample
from common.supernet import opened
from common.system import PublishedNetwork
from common.task import Networks, Outside

if TYPE_CHECKING:
    from classification.facts import ClassificationFacts

APART = 0.05
"""Most that the operations of a random network that is compared with the found one differ from its own, as a share."""
DRAWS = 1000
"""Random architectures drawn for it."""
DARTS = "DARTS_V2, binary"
"""Name of the network of DARTS's cells in a run."""


def networks(settings: Settings, facts: ClassificationFacts) -> Networks:
    """Stacks of searched cells: a small one is searched, a large binary one is trained alone.

    Beside what was found are retrained the baseline with real weights, and DARTS's published cells with binary convolutions, as
    wide as the operations of what was found allow; not where they cost more in the least width.
    """
    space = searched(settings, len(facts.classes))
    n = settings.network
    trained = partial(alone, width=n.width, cells=n.cells)
    fits(opened(space))
    fits(opened(trained(space)))
    baseline = arch_of(space, by_hand(space))
    assert baseline is not None, "the space has every cell of two edges a node"
    inputs = facts.example()
    costs = tabulated(lambda: build(opened(trained(space))), trained(space), inputs, BINARY)

    def outside(found: Arch) -> Mapping[str, Outside]:
        darts = darts_cells(costs.of(found)["ops"], n.cells, len(facts.classes), inputs)
        real = {REAL: outside_of(build, decode(trained(space), baseline), inputs)}
        return real if darts is None else {DARTS: Outside(build=partial(build, darts), cost=cost_of(darts, inputs)), **real}

    def draw(arch: Arch) -> str:
        return draw_cells(cells_of(decode(space, arch)))

    return Networks(
        space=space,
        build=build,
        baseline=baseline,
        costs=costs,
        random_like=partial(of_like_cost, space, costs),
        price=costs.price,
        alone=trained,
        outside=outside,
        draw=draw,
    )


def of_like_cost(space: Network, costs: Tabulated, found: Arch, rng: Random) -> Arch:
    """A random architecture with about the operations of another one: within a twentieth, else the nearest of those drawn."""
    wanted = costs.of(found)["ops"]
    nearest, least = found, inf
    for _ in range(DRAWS):
        drawn = sample(space, rng)
        apart = abs(costs.of(drawn)["ops"] / wanted - 1)
        if drawn != found and apart < least:
            nearest, least = drawn, apart
        if least <= APART:
            break
    return nearest


def searched(settings: Settings, classes: int, side: int = 0) -> Network:
    """The open network that is searched, on images of any side."""
    s = settings.space
    return binary_space(
        form=s.form,
        operations=s.operations,
        nodes=s.nodes,
        width=s.width,
        cells=s.cells,
        classes=classes,
        partial=s.partial,
        groups=s.groups,
        precision=s.precision,
        paired=settings.paired,
    )


def by_hand(space: Network) -> Network:
    """Cells without a search: every node takes both inputs of the cell, each through a 3x3 convolution.

    In a space without that operation it is the last one of the space besides `none`.
    """
    known = space.normal.nodes[0].edges.options[0].op.options
    wanted = ("bin_conv_3x3", "sep_conv_3x3", *(name for name in reversed(known) if name != "none"))
    op = next(name for name in wanted if name in known)
    node = Node(edges=tuple(Edge(source=source, op=op) for source in range(FIRST)))
    count = len(space.normal.concat)
    cell = Cell(nodes=(node,) * count, concat=tuple(range(FIRST, FIRST + count)))
    return replace(space, normal=cell, reduction=cell)


def darts_cells(ops: float, cells: int, classes: int, inputs: tuple[Tensor, ...]) -> Network | None:
    """DARTS_V2 with the separable convolutions of CP-NAS, of the largest width with no more operations than `ops`, if any."""

    def network(width: int) -> Network:
        found = genotypes.published()["DARTS_V2"]
        return standalone(found, "separable", width=width, cells=cells, classes=classes)

    width = 0
    while cost_of(network(width + 2), inputs)["ops"] <= ops:
        width += 2
    return network(width) if width else None


def cost_of(network: Network, inputs: tuple[Tensor, ...]) -> Mapping[str, float]:
    """What a settled network costs."""
    with torch.device("meta"):
        return dict(count(build(network), inputs, convention=BINARY).costs)


def spaces() -> dict[str, Network]:
    """Spaces of the same form as those of the recipes, small enough for tests."""
    small = partial(binary_space, nodes=2, width=4, cells=3, classes=3)
    few = FORMS["separable"][3:5]
    return {
        "kim": small(form="kim"),
        "separable": small(form="separable", nodes=1, partial=2),
        "grouped": small(form="grouped", nodes=1, groups=2, precision="activations"),
        "paired": small(form="separable", operations=few, paired=True),
    }


def example(space: str) -> tuple[Tensor, ...]:
    """Inputs small enough for tests."""
    return (torch.zeros(2, 3, 8, 8),)


def in_space(network: Network) -> tuple[Network, Arch]:
    """A network as it is trained alone, as an open description and the architecture that it is."""
    whole = open_cell(len(network.normal.nodes), FORMS[network.form])
    space = replace(network, normal=whole, reduction=whole)
    arch = arch_of(space, network)
    assert arch is not None, "every node of a published cell has two edges"
    return space, arch


def published() -> Mapping[str, PublishedNetwork]:
    """The published cells, each in its network."""

    def entry(name: str) -> PublishedNetwork:
        costs = SIZES[name].costs
        return PublishedNetwork(
            description=lambda: in_space(published_network(name))[0],
            arch=lambda: in_space(published_network(name))[1],
            costs=costs,
        )

    return {name: entry(name) for name in SIZES}
