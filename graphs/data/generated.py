"""Graphs made to measure: a stochastic block model whose edges prefer, or avoid, equal classes."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from common.errors import UserError
from common.streams import numpy_stream
from graphs.data.arrays import GraphSet, one_graph
from graphs.data.check import check
from graphs.data.masks import cut
from graphs.data.nodes import NodeData


def stochastic_blocks(
    nodes: int = 600,
    classes: int = 4,
    *,
    features: int = 64,
    homophily: float = 0.8,
    degree: float = 8.0,
    noise: float = 1.0,
    per_class: int = 20,
    val: int = 160,
    test: int = 320,
    seed: int = 0,
) -> NodeData:
    """A random graph with classes of equal size, their mean features a distance of about 1.4 apart, and noise on every feature.

    A share `homophily` of the edges joins nodes of one class, the others nodes of two, each drawn evenly from all such pairs.
    With the standard settings single nodes are hard to tell apart, and the mean over a neighbourhood is easy to.

    Args:
        nodes: in all.
        classes: at least 2.
        features: per node.
        homophily: 0 to 1; `1 / classes` says nothing about the classes.
        degree: mean number of neighbours.
        noise: standard deviation of every feature around its class's mean.
        per_class: training nodes of every class.
        val: nodes, of any class.
        test: nodes, of any class.
        seed: of everything that is drawn.

    Raises:
        UserError: a number outside its range, or a graph too small for what is asked of it.
    """
    _check(nodes, classes, features, homophily, degree, noise, per_class, val, test)
    labels = numpy_stream(seed, "blocks", "labels").permutation(np.arange(nodes) % classes)
    edges = round(nodes * degree / 2)
    inside = round(homophily * edges)
    drawn = [_pairs(labels, count, same, seed) for count, same in ((inside, True), (edges - inside, False))]
    pairs = np.concatenate(drawn, axis=1)
    means = numpy_stream(seed, "blocks", "means").normal(size=(classes, features))
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    x = means[labels] + noise * numpy_stream(seed, "blocks", "noise").normal(size=(nodes, features))
    masks = cut(labels, per_class, val, test, numpy_stream(seed, "blocks", "split"))
    graphs = one_graph(x.astype(np.float32), np.concatenate([pairs, pairs[::-1]], axis=1), labels, masks)
    found = GraphSet(
        name="stochastic blocks",
        classes=tuple(str(label) for label in range(classes)),
        train=graphs[:1],
        val=graphs[1:2],
        test=graphs[2:],
        multilabel=False,
        notes=(f"a generated graph: {homophily:.0%} of the edges join equal classes, noise {noise:g}, seed {seed}",),
    )
    return NodeData.of(check(found))


def _check(
    nodes: int,
    classes: int,
    features: int,
    homophily: float,
    degree: float,
    noise: float,
    per_class: int,
    val: int,
    test: int,
) -> None:
    if classes < 2:
        raise UserError(f"classes={classes}: must be at least 2")
    for name, value in (("features", features), ("per_class", per_class), ("val", val), ("test", test)):
        if value < 1:
            raise UserError(f"{name}={value}: must be at least 1")
    if not 0 <= homophily <= 1:
        raise UserError(f"homophily={homophily}: must be 0 to 1, the share of edges that join equal classes")
    if not 0 <= noise < math.inf:
        raise UserError(f"noise={noise}: must be a finite number of at least 0")
    needed = per_class * classes + val + test
    if nodes < needed or nodes // classes < per_class:
        raise UserError(
            f"nodes={nodes}: {per_class} training nodes of each of {classes} classes, {val} validation and {test} test nodes "
            f"need at least {needed}; ask for fewer or raise nodes"
        )
    # of pairs in classes of nodes // classes, at most half are drawn: the draw ends soon, and blocks are not near complete
    size = nodes // classes
    limits = [
        pairs / (nodes * share)
        for pairs, share in ((classes * size * (size - 1) / 2, homophily), (classes * (classes - 1) * size**2 / 2, 1 - homophily))
        if share
    ]
    if not 0 < degree <= min(limits):
        raise UserError(f"degree={degree}: must be above 0 and at most {min(limits):.4g} for {nodes} nodes with these classes")


def _pairs(labels: NDArray[np.int64], count: int, same: bool, seed: int) -> NDArray[np.int64]:
    """Distinct pairs of nodes of one class, or of two, each pair equally likely; int64, shape (2, count)."""
    rng = numpy_stream(seed, "blocks", "edges", "inside" if same else "between")
    nodes = len(labels)
    found = np.empty(0, dtype=np.int64)
    while len(found) < count:
        low, high = np.sort(rng.integers(nodes, size=(2, 2 * count)), axis=0)
        fits = (low != high) & ((labels[low] == labels[high]) == same)
        keys = np.concatenate([found, (low * nodes + high)[fits]])
        # the first of equal pairs stays where it was drawn, so what is cut off below depends on chance alone
        found = keys[np.sort(np.unique(keys, return_index=True)[1])]
    return np.stack(np.divmod(found[:count], nodes))
