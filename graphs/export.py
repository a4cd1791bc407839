"""A graph network as `model.onnx`, and a `use.py` beside it that needs numpy and onnxruntime alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jaxtyping import Float, Int
from torch import Tensor, nn

from common.export import Parity, export_onnx, write_script


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


def export(network: nn.Module, graph: tuple[Tensor, Tensor], classes: Sequence[str], multilabel: bool, folder: Path) -> Parity:
    """Writes `model.onnx`, checked against torch, and `use.py` into `folder`.

    Args:
        network: standalone.
        graph: dense features and edge index to check it on; the file takes graphs of any size with as many features.
        classes: names of the labels.
        multilabel: whether a node may have several.
        folder: where to; it exists.

    Raises:
        UserError: packages are missing, or the numbers differ.
    """
    wrapped = Probabilities(network, multilabel).cpu()
    free = ({0: "nodes"}, {1: "edges"})
    parity = export_onnx(wrapped, tuple(part.cpu() for part in graph), folder / "model.onnx", free)
    write_script(folder, SCRIPT, {"CLASSES": tuple(classes)})
    return parity


SCRIPT = '''"""Classifies the nodes of a graph with model.onnx: python use.py GRAPH.npz (needs numpy and onnxruntime).

GRAPH.npz holds x (nodes, features) and edge_index (2, edges): both directions of every edge; self loops are
left out, for the network gives every node one.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime

CLASSES = @CLASSES@


def main():
    if len(sys.argv) < 2:
        sys.exit("usage: python use.py GRAPH.npz...")
    session = onnxruntime.InferenceSession(str(Path(__file__).with_name("model.onnx")), providers=["CPUExecutionProvider"])
    for path in sys.argv[1:]:
        with np.load(path, allow_pickle=False) as graph:
            edges = graph["edge_index"].astype(np.int64)
            inputs = graph["x"].astype(np.float32), edges[:, edges[0] != edges[1]]
        scores = session.run(None, {given.name: value for given, value in zip(session.get_inputs(), inputs)})[0]
        for node, row in enumerate(scores):
            best = int(row.argmax())
            print(json.dumps({"graph": path, "node": node, "class": CLASSES[best], "probability": round(float(row[best]), 4)}))


if __name__ == "__main__":
    main()
'''
