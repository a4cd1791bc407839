"""PDNAS as the laws and `describe` see it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any

import torch
from torch import Tensor

from common.cost.count import count
from common.task import PublishedNetwork, System
from graphs.pdnas.model import build
from graphs.pdnas.names import read_network
from graphs.pdnas.opened import open_run
from graphs.pdnas.space import Network, arch_of, pdnas_space

CONVENTION = "{} features, {} classes: all trainable parameters; MACs of linear layers for one node, features taken as dense"

SPACES: dict[str, Callable[[], Network]] = {
    "tiny": partial(pdnas_space, 6, 3, 2, widths=(4, 8), heads=(1, 2)),
    "tiny deep": partial(pdnas_space, 6, 3, 4, widths=(4, 8), heads=(2,)),
    "tiny extended": partial(pdnas_space, 6, 3, 2, extended=True, widths=(4, 8), heads=(1, 4)),
}
"""Spaces of the same form as those of the recipes, small enough for tests."""

RING = 8


def example(space: str) -> tuple[Tensor, ...]:
    """A graph small enough for tests: a ring with one chord; the last node is alone."""
    nodes = torch.arange(RING - 1)
    one_way = torch.cat([torch.stack([nodes, (nodes + 1) % (RING - 1)]), torch.tensor([[0], [3]])], 1)
    return torch.zeros(RING, 6), torch.cat([one_way, one_way.flip(0)], 1)


def describe(text: str, space: str | None) -> dict[str, Any]:
    """Counts of an architecture on a graph.

    Args:
        text: see `graphs.pdnas.names.read_network`.
        space: the graph: Cora, CiteSeer, PubMed, or features and classes, `1433x7`.

    Raises:
        UserError: no such operator, graph or file, or a damaged file.
    """
    graph, network = read_network(text, space)
    with torch.device("meta"):
        cost = count(build(network), (torch.empty(1, network.features), torch.empty(2, 0, dtype=torch.int64)))
    return {
        "system": "pdnas",
        "arch": text,
        "graph": graph,
        "convention": CONVENTION.format(network.features, network.classes),
        "params": cost.params,
        "macs": cost.macs,
        "description": asdict(network),
    }


def _published(name: str, params: int) -> PublishedNetwork:
    network = partial(read_network, name, None)

    def space() -> Network:
        net = network()[1]
        return pdnas_space(net.features, net.classes, len(net.blocks))

    return PublishedNetwork(description=space, arch=lambda: arch_of(space(), network()[1]), params=params)


SYSTEM = System(
    name="pdnas",
    title="PDNAS",
    paper="arXiv:2003.09676",
    spaces=SPACES,
    build=build,
    example=example,
    published={
        name: _published(name, params)
        for name, params in {
            "GCN Cora": 23_063,
            "GCN CiteSeer": 59_366,
            "GCN PubMed": 8_067,
            "GAT Cora": 92_373,
            "GAT CiteSeer": 237_586,
            "GAT PubMed": 33_779,
        }.items()
    },
    describe=describe,
    open_run=open_run,
)
"""PDNAS; its cells cannot be read off the paper, the networks of others that are values of its space can be counted."""
