"""Which architecture a text stands for (an operator's name or a file), and what `describe` says of the architecture."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.arch import load
from common.cost.conventions import conv_linear
from common.describe import counted
from common.errors import UserError
from common.json_text import read_foreign
from common.space import decode, space_fingerprint
from common.system import PublishedNetwork
from graphs.data import load as load_data
from graphs.pdnas.model import build
from graphs.pdnas.networks import inputs
from graphs.pdnas.recipes import RECIPES
from graphs.pdnas.space import OPERATORS, Network, arch_of, by_hand, pdnas_space

if TYPE_CHECKING:
    from graphs.pdnas.system import Describing

CONVENTION = "{} features, {} classes: all trainable parameters; MACs of linear layers for one node, features taken as dense"
COUNTS = {
    "GCN Cora": 23_063,
    "GCN CiteSeer": 59_366,
    "GCN PubMed": 8_067,
    "GAT Cora": 92_373,
    "GAT CiteSeer": 237_586,
    "GAT PubMed": 33_779,
}
"""Parameters of published networks that are values of the space; the cells that PDNAS found cannot be read off its paper."""
GRAPHS: Mapping[str, tuple[int, int]] = {"Cora": (1433, 7), "CiteSeer": (3703, 6), "PubMed": (500, 3)}
"""Features and classes of the citation graphs."""


def graph_named(text: str) -> tuple[int, int]:
    """Features and classes that `text` stands for: a name in `GRAPHS`, or two numbers, `1433x7`.

    Raises:
        UserError: it is neither.
    """
    if text in GRAPHS:
        return GRAPHS[text]
    if (numbers := re.fullmatch(r"([0-9]{1,9})x([0-9]{1,9})", text)) is None:
        raise UserError(
            f"graph {text!r} is none of {', '.join(GRAPHS)}; give one, FEATURESxCLASSES (1433x7), or --data and --name"
        )
    return int(numbers[1]), int(numbers[2])


def read_network(text: str, graph: str | None) -> tuple[str, Network]:
    """The graph and the network that `text` stands for.

    Args:
        text: an operator (`GCN`), one with a graph (`GCN Cora`; that of GAT on Pubmed has eight heads in the last block), or a
            file with an architecture.
        graph: see `graph_named`; Cora by default.

    Raises:
        UserError: no such operator, graph or file, or a damaged file.
    """
    operator, _, named = text.partition(" ")
    if operator in OPERATORS:
        graph = graph or named or "Cora"
        features, classes = graph_named(graph)
        heads = 8 if (operator, graph) == ("GAT", "PubMed") else None
        return graph, by_hand(operator, features, classes, last_heads=heads)
    if os.path.isdir(text):
        raise UserError(f"{text} is a folder; of a run, give {os.path.join(text, 'best', 'arch.json')}")
    if not os.path.isfile(text):
        raise UserError(
            f"{text}: no such file, and no operator ({', '.join(OPERATORS)}); give one of them, or an architecture file"
        )
    graph = graph or "Cora"
    return graph, _from_file(Path(text), *graph_named(graph))


def _from_file(path: Path, features: int, classes: int) -> Network:
    """Read as the space that it was written for, or the widest with its blocks, so that its own fault is complained about."""
    written, choices = _written(path)
    blocks = 1 + max((int(part[1]) for key in choices if (part := re.match(r"blocks\.(\d{1,2})\.", key))), default=0)
    extended = any(key.endswith((".message", ".root")) for key in choices)
    gates = any(".shortcuts." in key for key in choices)
    forms = {(s.widths, s.heads) for recipes in RECIPES.values() for make in recipes.values() for s in (make().space,)}
    spaces = [
        pdnas_space(features, classes, blocks, extended=extended, shortcuts=shortcuts, widths=widths, heads=heads)
        for (widths, heads), shortcuts in product(sorted(forms, key=lambda form: -len(form[0])), (gates, not gates))
    ]
    space = next((space for space in spaces if space_fingerprint(space) == written), spaces[0])
    network: Network = decode(space, load(path, space))
    return network


def _written(path: Path) -> tuple[object, Mapping[str, Any]]:
    """Fingerprint of a file's space and what it settles; nothing where it is damaged, which `load` explains."""
    try:
        data = read_foreign(path)
        return data["space"], data["choices"] if isinstance(data["choices"], dict) else {}
    except (OSError, ValueError, KeyError, TypeError):
        return None, {}


def published() -> Mapping[str, PublishedNetwork]:
    """Networks of others that are values of the space."""

    def entry(name: str, params: int) -> PublishedNetwork:
        _, net = read_network(name, None)
        space = pdnas_space(net.features, net.classes, len(net.blocks))
        return PublishedNetwork(description=lambda: space, arch=lambda: arch_of(space, net), params=params)

    return {name: entry(name, params) for name, params in COUNTS.items()}


def describe(options: Describing) -> dict[str, Any]:
    """Counts of an architecture on a graph.

    Raises:
        UserError: no such operator, graph, data set or file, or a damaged file.
    """
    graph, network = read_network(options.arch, graph_of(options))
    cost = counted(lambda: build(network), lambda: inputs(1, network.features), conv_linear)
    return {
        "system": "pdnas",
        "arch": options.arch,
        "graph": graph,
        "convention": CONVENTION.format(network.features, network.classes),
        "params": cost.params,
        "macs": cost.macs,
        "description": asdict(network),
    }


def graph_of(options: Describing) -> str | None:
    """The graph that the options name: `--graph`, or features and classes of a data set.

    Raises:
        UserError: both are given, or the data cannot be used.
    """
    if options.data is None and options.name is None:
        return options.graph
    if options.graph is not None:
        raise UserError("--graph and --data both say which graph; give one of them")
    found = load_data(options.data, options.name)
    return f"{found.features}x{len(found.classes)}"
