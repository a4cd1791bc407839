"""NAS-Bench-Graph: all graph neural networks of a space of 26,206, trained on nine data sets.

Qin, Zhang, Zhang and Zhu, NAS-Bench-Graph: Benchmarking Graph Neural Architecture Search, NeurIPS 2022, section 3 (the space, its
nine link patterns, isomorphic architectures stored once).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import permutations, product
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.encode import Encoder, Graph
from common.errors import UserError
from common.objective import Objective
from common.space import OneOf, Where
from common.tables.columns import Lookup, check_columns, check_names, check_whole, positions, read
from common.tables.table import Table

FILE = "nasbench_graph.npz"
LINKS = ("0000", "0001", "0011", "0012", "0013", "0111", "0112", "0122", "0123")
"""Where each of the four nodes takes its input: 0 is the raw input, k the k-th node. These are all forests of four nodes."""
SKIP = "skip"
OPS = ("gat", "gcn", "gin", "cheb", "sage", "arma", "graph", "fc", SKIP)
"""Seven graph convolutions, a fully connected layer that ignores the graph, and the identity."""
PROTEINS_OPS = ("gcn", "sage", "arma", "fc", SKIP)
"""What was trained on proteins: the others do not fit its size."""
DATASETS = ("cora", "citeseer", "pubmed", "cs", "physics", "photo", "computers", "arxiv", "proteins")
NODES = ("input", "output")
"""Operations of a graph besides those of the nodes."""

_COLUMNS = ("valid_perf", "test_perf", "latency_s", "params_m")
_COUNT = 4  # nodes


@dataclass(frozen=True)
class Network:
    """A network; nodes that no other takes its input from give the output, together. Fields may be open.

    Attributes:
        link: One of `LINKS`.
        ops: Operation of each node.
    """

    link: Any
    ops: Any


def _computes(network: Network) -> bool:
    return any(op != SKIP for op in network.ops)


def space(ops: tuple[str, ...] = OPS) -> Where:
    """Every link pattern with every choice of operations but four skips: 59,040 networks, 5,616 with those of proteins."""
    opened = Network(OneOf(*LINKS), tuple(OneOf(*ops) for _ in range(_COUNT)))
    return Where(opened, _computes, "one operation at least is not a skip")


@cache
def normal(link: str, skips: tuple[bool, ...]) -> tuple[str, tuple[tuple[int, ...], ...]]:
    """How the table stores networks with this link pattern and skips at these nodes.

    A skip that others take their input from, that has no sibling, or that passes the raw input on to the output, changes
    nothing (in the last case by the benchmark's convention: raw inputs have other widths than outputs). It moves to the front, a
    skip before everything else. Then nodes are numbered so that the pattern is one of `LINKS`.

    Returns:
        The stored pattern, and every order of the four nodes that gives it: the stored network takes the least operations of
        these, compared node by node.
    """
    parents = {node: int(link[node - 1]) for node in range(1, _COUNT + 1)}
    moved: list[int] = []
    for node in range(1, _COUNT + 1):
        children = [child for child, parent in parents.items() if parent == node]
        sibling = any(other != node and parent == parents[node] for other, parent in parents.items())
        if skips[node - 1] and (children or not sibling or parents[node] == 0):
            above = parents.pop(node)
            parents.update(dict.fromkeys(children, above))
            moved.append(node)
    front = moved[-1] if moved else 0
    for node, parent in parents.items():
        parents[node] = parent or front
    parents.update({node: ([0, *moved])[i] for i, node in enumerate(moved)})
    orders: dict[str, list[tuple[int, ...]]] = {}
    for order in permutations(range(1, _COUNT + 1)):
        place = {0: 0, **{node: i + 1 for i, node in enumerate(order)}}
        pattern = "".join(str(place[parents[node]]) for node in order)
        if pattern in LINKS:
            orders.setdefault(pattern, []).append(tuple(node - 1 for node in order))
    ((pattern, found),) = orders.items()
    return pattern, tuple(found)


def stored(network: Network, ops: tuple[str, ...] = OPS) -> Network:
    """The network that stands for all that are isomorphic to this one: itself for those that the table lists."""
    pattern, options = _stored(network.link, tuple(ops.index(op) for op in network.ops), ops.index(SKIP))
    return Network(pattern, tuple(ops[i] for i in options))


def _stored(link: str, options: tuple[int, ...], skip: int) -> tuple[str, tuple[int, ...]]:
    pattern, orders = normal(link, tuple(option == skip for option in options))
    return pattern, min(tuple([options[i] for i in order]) for order in orders)


def graph(network: Network) -> Graph:
    """The network with operations on the nodes: input, the four nodes, output; leaves feed the output."""
    parents = [int(digit) for digit in network.link]
    edges = [(parent, node) for node, parent in enumerate(parents, start=1)]
    edges += [(node, _COUNT + 1) for node in range(1, _COUNT + 1) if node not in parents]
    return Graph((NODES[0], *network.ops, NODES[1]), tuple(edges))


def nasbench_graph(folder: Path, dataset: str = "cora") -> Table:
    """The table on one data set.

    Searchers see `valid`, the best is judged by `test`: accuracies in percent, 100 times the ROC-AUC on proteins. There is one
    fidelity; the file does not tell epochs, so a query counts as one. Costs: `latency_s` and `params_m` as the file has them.

    Args:
        folder: Holds `nasbench_graph.npz`.
        dataset: One of `DATASETS`.

    Raises:
        UserError: An unknown data set; the file is missing or is not this table.
    """
    if dataset not in DATASETS:
        raise UserError(f"NAS-Bench-Graph has no data set {dataset!r}: use {', '.join(DATASETS)}")
    file = folder / FILE
    key = "proteins_hash" if dataset == "proteins" else "hash"
    arrays = read(file, (key, dataset, "columns", "links", "ops"))
    ops = PROTEINS_OPS if dataset == "proteins" else OPS
    check_names(str(file), "op", arrays["ops"].tolist(), OPS)
    check_names(str(file), "link", arrays["links"].tolist(), LINKS)
    check_names(str(file), "column", arrays["columns"].tolist(), _COLUMNS)
    options = _options(str(file), arrays[key], ops)
    columns = {name: arrays[dataset][:, i].astype(np.float64) for i, name in enumerate(_COLUMNS)}
    check_columns(str(file), columns, len(options))
    opened = space(ops)
    paths, sizes = Encoder(opened).paths, (len(LINKS), *[len(ops)] * _COUNT)
    rows = _rows(str(file), options, sizes)
    graphs = [graph(Network(LINKS[link], tuple(ops[i] for i in taken))) for link, *taken in options.tolist()]
    one_hot = np.concatenate(
        [np.eye(n, dtype=np.float32)[i] for n, i in zip(sizes, np.indices(sizes).reshape(5, -1), strict=True)], 1
    )
    one_hot.flags.writeable = False
    return Table(
        name=f"nasbench-graph-{dataset}",
        title=f"NAS-Bench-Graph, {dataset}",
        space=opened,
        objective=Objective("valid", "max", "%"),
        result=Objective("test", "max", "%"),
        row=Lookup(paths, sizes, rows),
        scores={"full": {"valid": 100 * columns["valid_perf"], "test": 100 * columns["test_perf"]}},
        epochs={"full": 1.0},
        costs={name: columns[name] for name in ("latency_s", "params_m")},
        features=Lookup(paths, sizes, one_hot),
        graph=Lookup(paths, sizes, [None if row is None else graphs[row] for row in rows]),
        operations=(*NODES, *ops),
        canonical=Lookup(paths, sizes, rows),
    )


def _options(source: str, keys: NDArray[np.integer], ops: tuple[str, ...]) -> NDArray[np.int64]:
    """Option indices of each row, shape (rows, 5): link, then operations.

    A key has one decimal digit for each, the operation's place among all nine; the keys of proteins are made in the same way.

    Raises:
        UserError: A key with an operation that is not one of `ops`.
    """
    digits = keys.astype(np.int64)[:, None] // 10 ** np.arange(_COUNT, -1, -1)
    digits[:, 1:] %= 10
    place = {i: ops.index(op) for i, op in enumerate(OPS) if op in ops}
    for row, taken in enumerate(digits[:, 1:].tolist()):
        for node, option in enumerate(taken):
            if option not in place:
                known = ", ".join(f"{i} ({OPS[i]})" for i in place)
                raise UserError(f"table {source}: row {row}: unknown op {option} at node {node + 1}: its key may hold {known}")
            digits[row, 1 + node] = place[option]
    return digits


def _rows(source: str, options: NDArray[np.int64], sizes: tuple[int, ...]) -> list[int | None]:
    """Row of every combination of options in lexicographic order; None where all are skips."""
    row_at = dict(zip(map(tuple, options.tolist()), range(len(options)), strict=True))
    positions(source, options, sizes)
    skip = sizes[-1] - 1
    rows = np.full(prod(sizes), -1, dtype=np.int64)
    for place, (link, *taken) in enumerate(product(*map(range, sizes))):
        pattern, order = _stored(LINKS[link], tuple(taken), skip)
        rows[place] = 0 if taken == [skip] * _COUNT else row_at.get((LINKS.index(pattern), *order), -1)
    check_whole(source, rows, sizes)
    forbidden = np.arange(len(rows)) % sizes[-1] ** _COUNT == sizes[-1] ** _COUNT - 1
    return [None if none else row for row, none in zip(rows.tolist(), forbidden.tolist(), strict=True)]
