"""A classifier as `model.onnx`, normalisation inside, and a `use.py` beside it that needs numpy, Pillow and onnxruntime alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from classification.data import Scale
from classification.data.images import squared
from common.data.reader import with_reader
from common.export import Parity, export_onnx, write_script


class Scaled(nn.Module):
    """A classifier that takes pixels and gives the probability of every class."""

    def __init__(self, network: nn.Module, scale: Scale) -> None:
        """Wraps `network`, which takes images normalised by `scale`."""
        super().__init__()
        self.network = network
        self.mean = nn.Buffer(255 * torch.tensor(scale.mean).view(3, 1, 1))
        self.std = nn.Buffer(255 * torch.tensor(scale.std).view(3, 1, 1))

    def forward(self, images: UInt8[Tensor, "n 3 h w"]) -> Float[Tensor, "n k"]:
        """Probabilities of the classes."""
        return self.network((images.to(torch.float32) - self.mean) / self.std).softmax(1)


def export(network: nn.Module, size: int, scale: Scale, classes: Sequence[str], folder: Path) -> Parity:
    """Writes `model.onnx`, checked against torch, and `use.py` into `folder`.

    Args:
        network: a standalone classifier of normalised images.
        size: side of the images it was trained on, pixels.
        scale: the normalisation.
        classes: names of the labels.
        folder: where to; it exists.

    Raises:
        UserError: packages are missing, or the numbers differ.
    """
    rows, columns = torch.arange(size)[:, None], torch.arange(size)
    image = torch.stack([(rows * k + columns * (4 - k)) * 37 % 256 for k in (1, 2, 3)])[None].to(torch.uint8)  # not a blank one
    wrapped = Scaled(network, scale).to(next(network.parameters()).device)
    parity = export_onnx(wrapped, (image.to(next(network.parameters()).device),), folder / "model.onnx")
    write_use(folder, size, classes)
    return parity


def write_use(folder: Path, size: int, classes: Sequence[str]) -> None:
    """Writes `use.py`; see `export`."""
    write_script(folder, with_reader(SCRIPT, squared), {"SIZE": size, "CLASSES": tuple(classes)})


SCRIPT = '''"""Classifies images with model.onnx: python use.py IMAGE... (needs numpy, pillow and onnxruntime)."""

import json
import sys
@IMPORTS@

SIZE = @SIZE@  # side of the network's input
CLASSES = @CLASSES@


@READER@


def read(path):
    """The image scaled to cover the input, the centre cut out: uint8 (1, 3, SIZE, SIZE)."""
    with opened(Path(path)) as image:
        square = squared(image, SIZE)
    return np.ascontiguousarray(np.asarray(square).transpose(2, 0, 1)[None])


def classify(session, path):
    """Class name -> probability of the best five, best first."""
    scores = session.run(None, {session.get_inputs()[0].name: read(path)})[0][0]
    return {CLASSES[i]: round(float(scores[i]), 4) for i in np.argsort(-scores, kind="stable")[:5]}


def main():
    if len(sys.argv) < 2:
        sys.exit("usage: python use.py IMAGE...")
    session = open_session()
    for path in sys.argv[1:]:
        try:
            print(json.dumps({"image": path, "classes": classify(session, path)}))
        except Unusable as error:
            sys.exit(f"{path}: {error}")


if __name__ == "__main__":
    main()
'''
