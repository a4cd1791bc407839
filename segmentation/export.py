"""A segmentor as `model.onnx`, and a `use.py` beside it that needs numpy, Pillow and onnxruntime alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from common.data.reader import with_reader
from common.export import Parity, export_onnx, write_script
from segmentation.data.batches import PADDING
from segmentation.data.labels import Colour
from segmentation.mm import Segmentor


class _FullSize(nn.Module):
    """A segmentor that gives the scores of every pixel of its input."""

    def __init__(self, segmentor: Segmentor) -> None:
        super().__init__()
        self.segmentor = segmentor

    def forward(self, images: UInt8[Tensor, "n 3 h w"]) -> Float[Tensor, "n k h w"]:
        size = (images.shape[2], images.shape[3])
        return F.interpolate(self.segmentor(images), size, mode="bilinear", align_corners=False)


def export(network: Segmentor, size: tuple[int, int], classes: Sequence[str], palette: Sequence[Colour], folder: Path) -> Parity:
    """Writes `model.onnx`, checked against torch, and `use.py` into `folder`.

    The file gives the scores of every class for every pixel of pictures of `size`; the script fits other pictures into it.

    Args:
        network: a standalone segmentor.
        size: height and width of its pictures, in pixels.
        classes: names of the labels.
        palette: colour of each class.
        folder: where to; it exists.

    Raises:
        UserError: packages are missing, or the numbers differ.
    """
    rows, columns = torch.arange(size[0])[:, None], torch.arange(size[1])
    image = torch.stack([(rows * k + columns * (4 - k)) * 5 % 256 for k in (1, 2, 3)])[None].to(torch.uint8)  # not a blank one
    device = next(network.parameters()).device
    parity = export_onnx(_FullSize(network), (image.to(device),), folder / "model.onnx")
    write_use(folder, size, classes, palette)
    return parity


def write_use(folder: Path, size: tuple[int, int], classes: Sequence[str], palette: Sequence[Colour]) -> None:
    """Writes `use.py`; see `export`."""
    values = {
        "SIZE": tuple(size),
        "PADDING": PADDING,
        "CLASSES": tuple(classes),
        "PALETTE": [channel for colour in palette for channel in colour],
    }
    write_script(folder, with_reader(SCRIPT), values)


SCRIPT = '''"""Segments images with model.onnx: python use.py IMAGE... (needs numpy, pillow and onnxruntime).

Writes NAME-found.png to the working directory for each: a palette image whose values are the positions in CLASSES.
"""

import json
import sys
@IMPORTS@

SIZE = @SIZE@  # height, width of the network's input
PADDING = @PADDING@
CLASSES = @CLASSES@
PALETTE = @PALETTE@


@READER@


def read(path):
    """The image at the top left of the input, uint8 (1, 3, height, width); its size there and its own, (width, height)."""
    picture = read_rgb(Path(path))
    scale = min(1.0, SIZE[0] / picture.height, SIZE[1] / picture.width)
    inner = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    canvas = Image.new("RGB", (SIZE[1], SIZE[0]), PADDING)
    canvas.paste(picture.resize(inner, Image.Resampling.BILINEAR))
    return np.asarray(canvas).transpose(2, 0, 1)[None].copy(), inner, picture.size


def segment(session, path):
    """The class of every pixel of the image at `path`, as a palette image of its size."""
    pixels, inner, size = read(path)
    scores = session.run(None, {session.get_inputs()[0].name: pixels})[0][0]
    labels = scores[:, : inner[1], : inner[0]].argmax(0).astype(np.uint8)
    found = Image.fromarray(labels).resize(size, Image.Resampling.NEAREST)
    found.putpalette(PALETTE)
    return found


def main():
    if len(sys.argv) < 2:
        sys.exit("usage: python use.py IMAGE...")
    session = open_session()
    taken = {Path(path).resolve() for path in sys.argv[1:]}
    for path in sys.argv[1:]:
        try:
            found = segment(session, path)
        except Unusable as error:
            sys.exit(f"{path}: {error}")
        target, n = Path(f"{Path(path).stem}-found.png"), 2
        while target.resolve() in taken:
            target, n = Path(f"{Path(path).stem}-found-{n}.png"), n + 1
        taken.add(target.resolve())
        found.save(target)
        labels, pixels = np.unique(np.asarray(found), return_counts=True)
        shares = {CLASSES[label]: round(float(count / pixels.sum()), 4) for label, count in zip(labels, pixels)}
        print(json.dumps({"image": path, "picture": str(target), "shares": shares}))


if __name__ == "__main__":
    main()
'''
