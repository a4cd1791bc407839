"""The cell of NAS-Bench-201: four nodes, an operation on each of the six edges between them.

Dong and Yang, NAS-Bench-201, ICLR 2020: section 2.1 (the space) and appendix (isomorphic cells).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from common.encode import Encoder, Graph
from common.errors import UserError
from common.space import OneOf
from common.tables.columns import Lookup

EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""(from, to) of each edge, in the order of the string form. Node 0 is the input, node 3 the output."""
NONE, SKIP = "none", "skip_connect"
OPS = (NONE, SKIP, "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
"""Zero, identity, ReLU-convolution-BN of two kernels, average pooling; the authors' names and order."""
NODES = ("input", "output")
"""Operations of a graph besides those of the edges."""

_FORM = re.compile(r"\+".join("".join(rf"\|([^|~+]+)~{a}" for a in range(b)) + r"\|" for b in (1, 2, 3)))
_LINKS = tuple((i, j) for j, (a, _) in enumerate(EDGES) for i, (_, b) in enumerate(EDGES) if b == a)


@dataclass(frozen=True)
class Cell:
    """A node is the sum of what comes in over its edges.

    Attributes:
        edges: Operation on each of `EDGES`; decisions may be open.
    """

    edges: Any


def space(ops: Sequence[str] = OPS) -> Cell:
    """The cell with every edge open: len(ops)^6 architectures, 15,625 with all five operations."""
    return Cell(tuple(OneOf(*ops) for _ in EDGES))


def to_string(cell: Cell) -> str:
    """The authors' form: `|op~0|+|op~0|op~1|+|op~0|op~1|op~2|`."""
    return "+".join(
        "".join(f"|{op}~{a}" for op, (a, b) in zip(cell.edges, EDGES, strict=True) if b == node) + "|" for node in (1, 2, 3)
    )


def from_string(text: str) -> Cell:
    """The inverse of `to_string`.

    Raises:
        UserError: Another form, or an operation that the space does not have.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise UserError(f"cell {text!r} has another form than |op~0|+|op~0|op~1|+|op~0|op~1|op~2|: write it like that")
    for op in match.groups():
        if op not in OPS:
            raise UserError(f"cell {text!r}: unknown op {op!r}: use {', '.join(OPS)}")
    return Cell(match.groups())


def expression(cell: Cell) -> str:
    """The table's name for what a cell computes; isomorphic cells, in the authors' sense, have equal ones.

    A node is written as the sorted sum of its edges: `(x)@op` for an operation on node x, x itself for a skip, and # for a zero
    or for anything applied to a node that is # itself. The 15,625 cells have 6,466 different expressions. Three properties are
    the table's, not of isomorphism as such: every zero leaves a # (so `#+x` and `x` differ), a sum that is skipped into another
    stays together where it is sorted, and a result that is used twice counts like one that is computed twice.
    """
    nodes = ["0"]
    for node in (1, 2, 3):
        terms = []
        for op, (a, b) in zip(cell.edges, EDGES, strict=True):
            if b != node:
                continue
            if op == NONE or nodes[a] == "#":
                terms.append("#")
            else:
                terms.append(nodes[a] if op == SKIP else f"({nodes[a]})@{op}")
        nodes.append("+".join(sorted(terms)))
    return nodes[3]


def graph(cell: Cell) -> Graph:
    """The cell with operations on the nodes: input, the six edges in their order, output.

    A zero is a node that nothing flows into: what it puts out does not depend on its input. The cell is taken as it is;
    `Lookups.graph` is that of the first of all isomorphic cells, so that these share one.
    """
    edges = [(0, 1 + i) for i, (a, _) in enumerate(EDGES) if a == 0]
    edges += [(1 + i, 1 + j) for i, j in _LINKS]
    edges = [(a, b) for a, b in edges if cell.edges[b - 1] != NONE]
    edges += [(1 + i, 1 + len(EDGES)) for i, (_, b) in enumerate(EDGES) if b == 3]
    return Graph((NODES[0], *cell.edges, NODES[1]), tuple(sorted(edges)))


@dataclass(frozen=True, slots=True)
class Lookups:
    """What is known of every cell of a space without any table.

    Attributes:
        canonical: Architecture -> `expression`.
        first: Architecture -> position of the first isomorphic cell; zeros come first, so it has no operation without effect
            on the expression.
        graph: Architecture -> `graph` of the first isomorphic cell: isomorphic exactly where the expressions are equal.
        features: Architecture -> one-hot vector of the cell itself, shape (6 * ops,), read-only.
    """

    canonical: Lookup[str]
    first: Lookup[int]
    graph: Lookup[Graph]
    features: Lookup[Any]


def lookups(ops: Sequence[str] = OPS) -> Lookups:
    """Works them out for every cell of `space(ops)`: a third of a second for all five operations."""
    opened = space(ops)
    paths, sizes = Encoder(opened).paths, (len(ops),) * len(EDGES)
    cells = [Cell(edges) for edges in product(ops, repeat=len(EDGES))]
    names = [expression(cell) for cell in cells]
    known: dict[str, int] = {}
    first = [known.setdefault(name, place) for place, name in enumerate(names)]
    graphs = {place: graph(cells[place]) for place in known.values()}
    options = np.array(list(product(range(len(ops)), repeat=len(EDGES))))
    features = np.eye(len(ops), dtype=np.float32)[options].reshape(len(cells), -1)
    features.flags.writeable = False
    return Lookups(
        Lookup(paths, sizes, names),
        Lookup(paths, sizes, first),
        Lookup(paths, sizes, [graphs[place] for place in first]),
        Lookup(paths, sizes, features),
    )
