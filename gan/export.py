"""A generator as `model.onnx`, and a `use.py` beside it that needs numpy, Pillow and onnxruntime alone."""

from __future__ import annotations

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from common.data.reader import with_reader
from common.export import Parity, export_onnx, write_script
from gan.data.images import squeezed


def waves(size: int) -> Float[Tensor, "1 3 size size"]:
    """A picture in [-1, 1] to try generators on: of a blank one, norms would make noise out of rounding errors."""
    rows, columns = torch.arange(size)[:, None], torch.arange(size)
    return torch.stack([torch.sin((rows * k + columns * (4 - k)) / 9) for k in (1, 2, 3)])[None]


def export(network: nn.Module, size: int, folder: Path) -> Parity:
    """Writes `model.onnx`, checked against torch, and `use.py` into `folder`.

    The file takes pictures (n, 3, size, size) in [-1, 1] and gives as many; the script fits other pictures into it.

    Args:
        network: a standalone generator.
        size: side of its pictures, in pixels.
        folder: where to; it exists.

    Raises:
        UserError: packages are missing, or the numbers differ.
    """
    device = next(network.parameters()).device
    parity = export_onnx(network, (waves(size).to(device),), folder / "model.onnx")
    write_use(folder, size)
    return parity


def write_use(folder: Path, size: int) -> None:
    """Writes `use.py`; see `export`."""
    write_script(folder, with_reader(SCRIPT, squeezed), {"SIZE": size})


SCRIPT = '''"""Translates pictures with model.onnx: python use.py IMAGE... (needs numpy, pillow and onnxruntime).

Writes NAME-translated.png to the working directory for each, of the picture's own size.
"""

import json
import sys
@IMPORTS@

SIZE = @SIZE@  # side of the network's pictures, pixels


@READER@


def read(path):
    """The picture at `path`, squeezed into the network's square: float32 (1, 3, SIZE, SIZE) in [-1, 1]; its size."""
    picture = read_rgb(Path(path))
    return squeezed(picture, SIZE).astype(np.float32)[None] / 127.5 - 1, picture.size


def translate(session, path):
    """What the network makes of the picture at `path`, as a picture of the same size."""
    pixels, size = read(path)
    made = session.run(None, {session.get_inputs()[0].name: pixels})[0][0]
    made = np.clip(np.round((made + 1) * 127.5), 0, 255).astype(np.uint8).transpose(1, 2, 0)
    return Image.fromarray(made).resize(size, Image.Resampling.BICUBIC)


def main():
    if len(sys.argv) < 2:
        sys.exit("usage: python use.py IMAGE...")
    session = open_session()
    taken = {Path(path).resolve() for path in sys.argv[1:]}
    for path in sys.argv[1:]:
        target, n = Path(f"{Path(path).stem}-translated.png"), 2
        while target.resolve() in taken:
            target, n = Path(f"{Path(path).stem}-translated-{n}.png"), n + 1
        taken.add(target.resolve())
        try:
            translate(session, path).save(target)
        except Unusable as error:
            sys.exit(f"{path}: {error}")
        print(json.dumps({"image": path, "picture": str(target)}))


if __name__ == "__main__":
    main()
'''
