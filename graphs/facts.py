"""What a run remembers of graph data: enough to export its networks and to run them on graphs in files."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from common.data.npz import BadNpz, MissingArray, read_npz
from common.errors import UserError
from common.export import Parity
from common.file_facts import FileFacts
from graphs.export import export

NODES = 6
"""Of the ring that an export is checked on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphFacts(FileFacts):
    """What a run remembers of its data.

    Attributes:
        features: of a node.
        classes: names of the labels.
        multilabel: whether a node may have several.
        counted_nodes: nodes of the graph for which multiply-adds are counted; None in older run folders.
    """

    words: ClassVar[tuple[str, str]] = ("graph", "table")
    result: ClassVar[tuple[str, str]] = ("-found", ".csv")

    features: int
    classes: tuple[str, ...]
    multilabel: bool
    counted_nodes: int | None = None

    def example(self) -> tuple[Tensor, Tensor]:
        """See `ring`."""
        return ring(self.features)

    def export(self, network: nn.Module, folder: Path) -> Parity:
        """See `graphs.export.export`."""
        return export(network, ring(self.features), self.classes, self.multilabel, folder)

    def read(self, file: Path) -> tuple[Tensor, Tensor]:
        """See `FileFacts.read`: features and edges of a graph.

        The .npz file holds `x`, float of shape (n, features), scaled as the training data were, and `edge_index`, whole numbers
        of shape (2, e): both directions of an undirected edge.
        """
        return _read(file, self.features)

    def predicted(self, network: nn.Module, item: tuple[Tensor, Tensor], target: Path) -> Mapping[str, Any]:
        """See `FileFacts.predicted`: a CSV file of node, class, probability; `nodes`, how many there are of each class."""
        scores = network(*item)
        found = scores.sigmoid() if self.multilabel else scores.softmax(1)
        best = found.argmax(1)
        with target.open("w", newline="", encoding="utf-8") as table:
            rows = csv.writer(table)
            rows.writerow(["node", "class", "probability"])
            for node, label in enumerate(best.tolist()):
                rows.writerow([node, self.classes[label], round(float(found[node, label]), 4)])
        counts = torch.bincount(best, minlength=len(self.classes)).tolist()
        return {"nodes": dict(zip(self.classes, counts, strict=True))}


def ring(features: int) -> tuple[Tensor, Tensor]:
    """Features and edges of a small graph to try a network on."""
    here = torch.arange(NODES)
    one_way = torch.stack([here, (here + 1) % NODES])
    x = torch.arange(NODES * features).view(NODES, features) * 37 % 101 / 101
    return x, torch.cat([one_way, one_way.flip(0)], 1)


def _read(file: Path, features: int) -> tuple[Tensor, Tensor]:
    rule = "give an .npz file with x (nodes, features) and edge_index (2, edges)"
    if file.is_file() and not zipfile.is_zipfile(file):
        raise UserError(f"{file}: no .npz file; a run on graphs predicts the classes of a graph's nodes: {rule}")
    try:
        arrays = read_npz(file, ("x", "edge_index"))
    except MissingArray as name:
        raise UserError(f"{file}: it has no array {name}; {rule}") from None
    except FileNotFoundError:
        raise UserError(f"{file}: there is no such file; {rule}") from None
    except BadNpz as error:
        raise UserError(f"{file}: {error}; {rule}") from None
    given, edges = arrays["x"], arrays["edge_index"]
    with np.errstate(over="ignore"):
        x = given.astype(np.float32) if given.dtype.kind in "fiub" else given
    shaped = x.ndim == 2 and x.shape[1] == features and edges.ndim == 2 and edges.shape[0] == 2
    if not shaped or x.dtype != np.float32 or edges.dtype.kind not in "iu":
        raise UserError(
            f"{file}: x {x.dtype} of shape {x.shape}, edge_index {edges.dtype} of shape {edges.shape}; {rule}, with {features} "
            "features"
        )
    if not np.isfinite(x).all():
        raise UserError(f"{file}: x holds a number that is not finite; fix it")
    if edges.size and not (edges.min() >= 0 and edges.max() < len(x)):
        raise UserError(
            f"{file}: edge_index names node {edges.max() if edges.max() >= len(x) else edges.min()} of {len(x)}; fix it"
        )
    edges = edges[:, edges[0] != edges[1]].astype(np.int64)  # every node gets one loop in the network
    return torch.from_numpy(x), torch.from_numpy(edges)
