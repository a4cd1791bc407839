"""Features of nodes divided by their sum, as is usual with bags of words. No torch here."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float32

from common.errors import UserError
from graphs.data.arrays import Arrays, GraphSet


def normalised(data: GraphSet) -> GraphSet:
    """The data with the features of every node divided by their sum.

    Raises:
        UserError: a feature is below 0.
    """
    divided: dict[int, Float32[np.ndarray, "n f"]] = {}
    for split, graphs in data.splits.items():
        for graph in graphs:
            if id(graph.x) not in divided:
                divided[id(graph.x)] = rows_divided(graph.x, f"{data.name}, {split}")

    def scaled(graphs: tuple[Arrays, ...]) -> tuple[Arrays, ...]:
        return tuple(replace(graph, x=divided[id(graph.x)]) for graph in graphs)

    return replace(data, train=scaled(data.train), val=scaled(data.val), test=scaled(data.test), normalised=True)


def rows_divided(x: Float32[np.ndarray, "n f"], name: str) -> Float32[np.ndarray, "n f"]:
    """Every row divided by its sum; a row of zeros stays.

    Args:
        x: features of nodes.
        name: what the message calls them.

    Raises:
        UserError: a feature is below 0.
    """
    if (x < 0).any():
        node, feature = np.argwhere(x < 0)[0].tolist()
        raise UserError(
            f"{name}: feature {feature} of node {node} is {float(x[node, feature]):g}: features that are divided by their sum "
            "must be 0 or above; leave data.normalise out, or give data.normalise=false"
        )
    sums = x.sum(axis=1, keepdims=True)
    return x / np.where(sums > 0, sums, np.float32(1))
