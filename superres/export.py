"""A super-resolution network as `model.onnx`, and a `use.py` beside it that needs numpy, Pillow and onnxruntime alone."""

from __future__ import annotations

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from common.data.reader import with_reader
from common.export import Parity, export_onnx, write_script
from superres.channels import apart, together
from superres.upscaling import MARGIN, TILE, spans

FREE = {0: "batch", 2: "height", 3: "width"}
"""Dimensions of the input that may differ, in the exported file."""


def waves(n: int, height: int, width: int) -> Float[Tensor, "n 3 height width"]:
    """Pictures in 0..255 with values of all sizes, to compare networks on."""
    rows, columns = torch.arange(height)[:, None], torch.arange(width)
    pictures = [[torch.sin((rows * k + columns * (4 - k)) / (9 + i)) for k in (1, 2, 3)] for i in range(n)]
    return torch.stack([torch.stack(channels) for channels in pictures]) * 127.5 + 127.5


def export(network: nn.Module, scale: int, side: int, folder: Path) -> Parity:
    """Writes `model.onnx`, checked against torch on pictures of two sizes, and `use.py` into `folder`.

    The file takes pictures (n, 3, h, w) in 0..255 of any n, h and w and gives (n, 3, h * scale, w * scale), neither limited nor
    rounded. The script upscales picture files of any size in tiles.

    Args:
        network: a standalone network.
        scale: how many times larger it makes pictures.
        side: of the pictures that the file is checked on, in pixels.
        folder: where to; it exists.

    Raises:
        UserError: packages are missing, the numbers differ, or the network takes no pictures of any size.
    """
    device = next(network.parameters()).device
    examples = [waves(n, height, width).to(device) for n, height, width in ((2, side, side + 2), (1, side + 5, side - 1))]
    parity = export_onnx(network, examples[:1], folder / "model.onnx", [FREE], [examples[1:]])
    write_use(folder, scale)
    return parity


def write_use(folder: Path, scale: int) -> None:
    """Writes `use.py`; see `export`."""
    write_script(folder, with_reader(SCRIPT, apart, together, spans), {"SCALE": scale, "TILE": TILE, "MARGIN": MARGIN})


SCRIPT = '''"""Upscales pictures with model.onnx: python use.py IMAGE... (needs numpy, pillow and onnxruntime).

Writes NAME-x@SCALE@.png to the working directory for each: grey stays grey, and alpha is kept.
"""

import json
import sys
from itertools import pairwise
@IMPORTS@

SCALE = @SCALE@  # how many times larger pictures become
TILE, MARGIN = @TILE@, @MARGIN@  # side of the largest part that is upscaled at once, and how far it reaches beyond what is taken


@READER@


def upscaled(session, colours):
    """The RGB picture SCALE times larger, in tiles; each pixel is taken from the tile whose centre is nearest."""
    low = np.asarray(colours).astype(np.float32).transpose(2, 0, 1)[None]
    height, width = low.shape[2:]
    whole = np.empty((SCALE * height, SCALE * width, 3), np.uint8)
    for y, y_end, top, bottom in spans(height, TILE, MARGIN):
        for x, x_end, left, right in spans(width, TILE, MARGIN):
            tile = np.ascontiguousarray(low[:, :, y:y_end, x:x_end])
            made = session.run(None, {session.get_inputs()[0].name: tile})[0][0]
            inner = made[:, SCALE * (top - y) : SCALE * (bottom - y), SCALE * (left - x) : SCALE * (right - x)]
            pixels = np.clip(np.round(inner), 0, 255).astype(np.uint8).transpose(1, 2, 0)
            whole[SCALE * top : SCALE * bottom, SCALE * left : SCALE * right] = pixels
    return Image.fromarray(whole)


def main():
    if len(sys.argv) < 2:
        sys.exit("usage: python use.py IMAGE...")
    session = open_session()
    taken = {Path(path).resolve() for path in sys.argv[1:]}
    for path in sys.argv[1:]:
        target, n = Path(f"{Path(path).stem}-x{SCALE}.png"), 2
        while target.resolve() in taken:
            target, n = Path(f"{Path(path).stem}-x{SCALE}-{n}.png"), n + 1
        taken.add(target.resolve())
        try:
            colours, alpha, mode = apart(Path(path))
        except Unusable as error:
            sys.exit(f"{path}: {error}")
        together(upscaled(session, colours), alpha, mode).save(target)
        print(json.dumps({"image": path, "picture": str(target)}))


if __name__ == "__main__":
    main()
'''
