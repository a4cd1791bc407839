"""Hierarchical representations: motifs of motifs (Liu et al. 2018, https://arxiv.org/abs/1711.00436, section 2).

A motif is a small graph over ordered nodes: each pair i < j is labelled with an operation of the level below or with none. The
operations of level 1 are primitives; those of a higher level are its motifs. A node merges what its incoming edges give. The
labels are ordinary decisions, so every searcher works here; `mutate_motif` is the paper's own mutation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from random import Random
from typing import Any

from common.errors import UserError
from common.space import Arch, OneOf

PRIMITIVES = ("conv_1x1", "depthwise_3x3", "separable_3x3", "max_pool_3x3", "avg_pool_3x3", "identity")
"""Level 1 of the paper. All keep the shape: only the skeleton around the hierarchy changes the resolution."""
NONE = "none"
"""The label of a pair of nodes without an edge; not to be mistaken for `identity`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Motif:
    """A graph whose first node is its input and whose last is its output.

    Attributes:
        nodes: How many.
        edges: The label of each pair of nodes in the order of `pairs`, an open decision or settled.
    """

    nodes: int
    edges: tuple[Any, ...]

    def __post_init__(self) -> None:
        if self.nodes < 2 or len(self.edges) != self.nodes * (self.nodes - 1) // 2:
            raise UserError(f"a motif of {self.nodes} nodes has {len(self.edges)} labels: give 2 nodes or more, a label a pair")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hierarchy:
    """A network, or a space of them.

    Attributes:
        primitives: The operations of level 1.
        levels: The motifs of levels 2, 3, ...; an edge of level l names an operation of level l - 1, `motif_<k>` for its
            motif k. The last level has one motif, which is the network.
    """

    primitives: tuple[str, ...]
    levels: tuple[tuple[Motif, ...], ...]


def pairs(nodes: int) -> list[tuple[int, int]]:
    """The pairs i < j of a motif's nodes in the order of its labels."""
    return list(combinations(range(nodes), 2))


def hierarchical(
    *, motifs: Sequence[int] = (6, 1), nodes: Sequence[int] = (4, 5), primitives: Sequence[str] = PRIMITIVES
) -> Hierarchy:
    """The space of all labels; the defaults are the paper's three levels: 6 motifs of 4 nodes, then one of 5.

    `hierarchical(motifs=[1], nodes=[11])` is its flat baseline.

    Args:
        motifs: How many motifs levels 2, 3, ... have.
        nodes: How many nodes the motifs of each of these levels have.
        primitives: The operations of level 1.

    Raises:
        UserError: No levels, levels of no motifs, several motifs at the top, or motifs of fewer than 2 nodes.
    """
    if len(motifs) != len(nodes) or not motifs or motifs[-1] != 1 or min(motifs) < 1 or min(nodes) < 2 or not primitives:
        raise UserError(
            f"a hierarchy of {list(motifs)} motifs with {list(nodes)} nodes over {len(primitives)} primitives: needs a number of"
            " motifs >= 1 and of nodes >= 2 for each level, 1 motif at the last, and primitives"
        )
    levels, below = [], tuple(primitives)
    for count, n in zip(motifs, nodes, strict=True):
        label = OneOf(NONE, *below)
        levels.append((Motif(nodes=n, edges=(label,) * len(pairs(n))),) * count)
        below = tuple(f"motif_{k}" for k in range(count))
    return Hierarchy(primitives=tuple(primitives), levels=tuple(levels))


def identity_chains(space: Hierarchy) -> Arch:
    """The trivial genotype that evolution begins with: every motif is a chain, of identities at level 2.

    Above level 2 the chains are of the first motif below, where the paper does not say which; all are alike.

    Raises:
        UserError: The primitives hold no `identity`.
    """
    if "identity" not in space.primitives:
        raise UserError(f"no identity among the primitives {', '.join(space.primitives)}: add it or give another genotype")
    choices: dict[str, int] = {}
    for level, motifs in enumerate(space.levels):
        link = 1 + (space.primitives.index("identity") if level == 0 else 0)
        for k, motif in enumerate(motifs):
            for edge, (i, j) in enumerate(pairs(motif.nodes)):
                choices[_path(level, k, edge)] = link if j == i + 1 else 0
    return Arch(choices)


def mutate_motif(space: Hierarchy, arch: Arch, rng: Random) -> Arch:
    """The paper's mutation (section 3.1): a level >= 2, a motif of it, and a pair of its nodes, each drawn uniformly.

    It adds, alters or removes an edge. Levels are equally likely whatever the number of their motifs, where drawing any decision
    would seldom change the top one. Reconstruction: pairs i < j are equally likely, where the paper draws a node and then
    another. Departure: the label always changes, where the paper may draw the old one, which would not be a new network.
    """
    level = rng.randrange(len(space.levels))
    k = rng.randrange(len(space.levels[level]))
    labels = space.levels[level][k].edges
    edge = rng.randrange(len(labels))
    path, options = _path(level, k, edge), len(labels[edge])
    return Arch({**arch, path: (arch[path] + rng.randrange(1, options)) % options})


def primitive_edges(network: Hierarchy) -> Counter[str]:
    """How often each primitive occurs once every motif is replaced by its graph, down to level 1; edges to nowhere count too.

    Args:
        network: Settled: `decode(space, arch)`.
    """
    below = {name: Counter({name: 1}) for name in network.primitives}
    for motifs in network.levels:
        expanded: list[Counter[str]] = []
        for motif in motifs:
            total: Counter[str] = Counter()
            for name in motif.edges:
                total.update(below[name] if name != NONE else {})
            expanded.append(total)
        below = {f"motif_{k}": total for k, total in enumerate(expanded)}
    return below["motif_0"]


def _path(level: int, motif: int, edge: int) -> str:
    return f"levels.{level}.{motif}.edges.{edge}"
