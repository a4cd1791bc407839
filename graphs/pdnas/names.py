"""Which architecture a text stands for: an operator's name or a file."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

from common.arch import load
from common.errors import UserError
from common.space import decode, space_fingerprint
from graphs.pdnas.settings import RECIPES
from graphs.pdnas.space import OPERATORS, Network, by_hand, pdnas_space

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
        data = json.loads(path.read_text(encoding="utf-8"))
        return data["space"], data["choices"] if isinstance(data["choices"], dict) else {}
    except (OSError, ValueError, RecursionError, KeyError, TypeError):
        return None, {}
