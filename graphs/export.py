"""A graph network as `model.onnx`, and a `use.py` beside it that needs numpy and onnxruntime alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jaxtyping import Float, Int
from torch import Tensor, nn

from common.export import Parity, export_onnx, write_script

THRESHOLD = 0.5
"""Probability above which a node has a class, where nodes may have several: that of the scores in training and tests."""


class Probabilities(nn.Module):
    """A network whose scores are probabilities: of one class for each node, or of each class where a node may have several."""

    def __init__(self, network: nn.Module, multilabel: bool) -> None:
        """Wraps `network`."""
        super().__init__()
        self.network = network
        self.multilabel = multilabel

    def forward(self, x: Float[Tensor, "n f"], edge_index: Int[Tensor, "2 e"]) -> Float[Tensor, "n k"]:
        """Probabilities of the classes of every node."""
        scores = self.network(x, edge_index)
        return scores.sigmoid() if self.multilabel else scores.softmax(1)


def export(
    network: nn.Module,
    graph: tuple[Tensor, Tensor],
    classes: Sequence[str],
    multilabel: bool,
    normalised: bool,
    folder: Path,
) -> Parity:
    """Writes `model.onnx`, checked against torch, and `use.py` into `folder`.

    Args:
        network: standalone.
        graph: dense features and edge index to check it on; the file takes graphs of any size with as many features.
        classes: names of the labels.
        multilabel: whether a node may have several.
        normalised: whether the script divides features by their sum, as the training did; the file takes them divided.
        folder: where to; it exists.

    Raises:
        UserError: packages are missing, or the numbers differ.
    """
    wrapped = Probabilities(network, multilabel).cpu()
    free = ({0: "nodes"}, {1: "edges"})
    parity = export_onnx(wrapped, tuple(part.cpu() for part in graph), folder / "model.onnx", free)
    several = THRESHOLD if multilabel else None
    write_script(folder, SCRIPT, {"CLASSES": tuple(classes), "THRESHOLD": several, "NORMALISED": normalised})
    return parity


SCRIPT = '''"""Classifies the nodes of a graph with model.onnx: python use.py GRAPH.npz (needs numpy and onnxruntime).

GRAPH.npz holds x (nodes, features) and edge_index (2, edges): both directions of every edge; self loops are
left out, for the network gives every node one.
"""

import json
import sys

import numpy as np

CLASSES = @CLASSES@
THRESHOLD = @THRESHOLD@  # a node has every class of a higher probability; None: a node has the class of the highest
NORMALISED = @NORMALISED@  # whether features are divided by their sum in every node, as in training


def read(path):
    """Features and edges of a graph, as model.onnx takes them."""
    with np.load(path, allow_pickle=False) as graph:
        x, edges = graph["x"].astype(np.float32), graph["edge_index"].astype(np.int64)
    if NORMALISED:
        sums = x.sum(1, keepdims=True)
        x = x / np.where(sums > 0, sums, np.float32(1))
    return x, edges[:, edges[0] != edges[1]]


def found(row):
    """What is printed of a node with these probabilities."""
    if THRESHOLD is None:
        best = int(row.argmax())
        return {"class": CLASSES[best], "probability": round(float(row[best]), 4)}
    order = np.argsort(-row, kind="stable")
    return {"classes": {CLASSES[i]: round(float(row[i]), 4) for i in order if row[i] > THRESHOLD}}


def main():
    if len(sys.argv) < 2:
        sys.exit("usage: python use.py GRAPH.npz...")
    session = open_session()
    for path in sys.argv[1:]:
        scores = session.run(None, {given.name: value for given, value in zip(session.get_inputs(), read(path))})[0]
        for node, row in enumerate(scores):
            print(json.dumps({"graph": path, "node": node, **found(row)}))


if __name__ == "__main__":
    main()
'''
