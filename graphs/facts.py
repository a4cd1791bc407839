"""What a run remembers of graph data: enough to export its networks and to run them on graphs in files."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from common.errors import UserError
from common.export import Parity
from common.file_facts import FileFacts
from common.streams import numpy_stream
from graphs.data.own import RULE, features, read_arrays
from graphs.data.scale import rows_divided
from graphs.export import THRESHOLD, export

NODES = 6
"""Of the ring that an export is checked on."""
UNKNOWN = (1.0, 0.5, 0.3)
"""Scale of features that a run folder says nothing about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphFacts(FileFacts):
    """What a run remembers of its data.

    Attributes:
        features: of a node.
        classes: names of the labels.
        multilabel: whether a node may have several.
        counted_nodes: nodes of the graph for which multiply-adds are counted; None in older run folders.
        normalised: whether features are divided by their sum before a network reads them; None in older run folders, whose files
            to predict on hold features as networks read them.
        scale: of the training features as networks read them: the share that is not 0, and the mean and the standard deviation of
            those; None in older run folders.
    """

    words: ClassVar[tuple[str, str]] = ("graph", "table")
    result: ClassVar[tuple[str, str]] = ("-found", ".csv")

    features: int
    classes: tuple[str, ...]
    multilabel: bool
    counted_nodes: int | None = None
    normalised: bool | None = None
    scale: tuple[float, float, float] | None = None

    def example(self) -> tuple[Tensor, Tensor]:
        """See `ring`."""
        return ring(self.features, self.scale or UNKNOWN)

    def export(self, network: nn.Module, folder: Path) -> Parity:
        """See `graphs.export.export`."""
        return export(network, self.example(), self.classes, self.multilabel, bool(self.normalised), folder)

    def read(self, file: Path) -> tuple[Tensor, Tensor]:
        """See `FileFacts.read`: features and edges of a graph.

        The .npz file holds `x`, numbers of shape (n, features), and `edge_index`, whole numbers of shape (2, e): both directions
        of an undirected edge. Where training divided features by their sum, those of the file are divided as well.
        """
        x, edges = _read(file, self.features)
        return torch.from_numpy(rows_divided(x, str(file)) if self.normalised else x), edges

    def predicted(self, network: nn.Module, item: tuple[Tensor, Tensor], target: Path) -> Mapping[str, Any]:
        """See `FileFacts.predicted`: a CSV file of node, class, probability; `nodes`, how many there are of each class.

        Where a node may have several classes, it has a row for each of probability above 0.5, best first, and one without class
        if there is none; `without_class` says how many such nodes there are.
        """
        scores = network(*item)
        found = scores.sigmoid() if self.multilabel else scores.softmax(1)
        with target.open("w", newline="", encoding="utf-8") as table:
            rows = csv.writer(table)
            rows.writerow(["node", "class", "probability"])
            for node, probabilities in enumerate(found.tolist()):
                for label in self._labels(probabilities):
                    rows.writerow([node, self.classes[label], round(probabilities[label], 4)])
                if self.multilabel and max(probabilities) <= THRESHOLD:
                    rows.writerow([node, "", ""])
        if not self.multilabel:
            counts = torch.bincount(found.argmax(1), minlength=len(self.classes)).tolist()
            return {"nodes": dict(zip(self.classes, counts, strict=True))}
        have = found > THRESHOLD
        counts = dict(zip(self.classes, have.sum(0).tolist(), strict=True))
        return {"nodes": counts, "without_class": int((~have.any(1)).sum())}

    def _labels(self, probabilities: Sequence[float]) -> list[int]:
        """The classes that a node is given, best first."""
        order = sorted(range(len(probabilities)), key=lambda label: -probabilities[label])
        return [label for label in order if probabilities[label] > THRESHOLD] if self.multilabel else order[:1]


def ring(features: int, scale: tuple[float, float, float]) -> tuple[Tensor, Tensor]:
    """Features and edges of a small graph to try a network on.

    Args:
        features: of a node.
        scale: see `GraphFacts`: features of other sizes would saturate a network, and hide what differs.
    """
    here = torch.arange(NODES)
    one_way = torch.stack([here, (here + 1) % NODES])
    share, mean, std = scale
    rng = numpy_stream(0, "ring")
    there = rng.random((NODES, features)) < share
    there[0, 0] = True
    x = (mean + std * rng.standard_normal((NODES, features))) * there
    return torch.from_numpy(x.astype(np.float32)), torch.cat([one_way, one_way.flip(0)], 1)


def _read(file: Path, width: int) -> tuple[NDArray[np.float32], Tensor]:
    if file.is_file() and not zipfile.is_zipfile(file):
        raise UserError(f"{file}: no .npz file; a run on graphs predicts the classes of a graph's nodes: {RULE}")
    arrays = read_arrays(file, RULE)
    if missing := [key for key in ("x", "edge_index") if key not in arrays]:
        raise UserError(f"{file}: {missing[0]} is missing; {RULE}")
    x, edges = features(arrays["x"], str(file)), arrays["edge_index"]
    if x.ndim != 2 or x.shape[1] != width or edges.ndim != 2 or edges.shape[0] != 2 or edges.dtype.kind not in "iu":
        raise UserError(
            f"{file}: x {x.dtype} of shape {x.shape}, edge_index {edges.dtype} of shape {edges.shape}; {RULE}, with "
            f"{width} features"
        )
    if not np.isfinite(x).all():
        raise UserError(f"{file}: x holds a number that is not finite; fix it")
    if edges.size and not (edges.min() >= 0 and edges.max() < len(x)):
        raise UserError(
            f"{file}: edge_index names node {edges.max() if edges.max() >= len(x) else edges.min()} of {len(x)}; fix it"
        )
    edges = edges[:, edges[0] != edges[1]].astype(np.int64)  # every node gets one loop in the network
    return x, torch.from_numpy(edges)
