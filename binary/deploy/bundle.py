"""A trained network with packed weights as one file that runs without this project: `python packed.zip IMAGE...`.

The file is a zip archive that Python runs: the network as `torch.export` writes it, the modules of `binary.packed` as they are,
and a script. It needs torch, numba, numpy, Pillow and jaxtyping.
"""

from __future__ import annotations

import inspect
import io
import zipfile
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from binary.deploy.conversion import Packed, packed
from classification.data.images import squared
from classification.export import Scaled
from classification.facts import ClassificationFacts
from common.data.reader import with_reader
from common.errors import NotExported
from common.run.files import write_atomic

NAME = "packed.zip"
"""Of the file. Python runs an archive of any name; numba keeps what it compiles of modules in archives of this ending alone."""
MODULES = (
    *(f"binary.packed.{name}" for name in ("counting", "geometry", "operator", "processor", "with_numba", "words")),
    *("common.errors", "common.extras"),
)
"""What the script imports of this project."""
EMPTY = ("binary", "binary.packed", "common")
"""Packages around them."""
IMAGES = 8
"""Images that both networks are compared on."""
DATE = (1980, 1, 1, 0, 0, 0)
"""Of every file in the archive, so that equal networks give equal files but for torch's own."""


class Bundle(NamedTuple):
    """What was written.

    Attributes:
        file: the archive.
        bytes: its size.
        network: bytes of the network in it.
        real: bytes that the parameters and the statistics of the real network have as float32.
        images: how many images both networks gave the same bits for.
    """

    file: Path
    bytes: int
    network: int
    real: int
    images: int


def bundle(network: nn.Module, facts: ClassificationFacts, folder: Path) -> Bundle:
    """Writes `packed.zip`, whose network is compared with the real one, bit by bit.

    Args:
        network: standalone and trained.
        facts: what the run remembers of its data.
        folder: where to; it exists.

    Raises:
        UserError: the network cannot be packed, or the file gives other numbers.
    """
    real = Scaled(network.eval(), facts.scale).eval()
    made = Scaled(packed(network), facts.scale).eval()
    for module in made.modules():
        if isinstance(module, Packed):
            del module.convolution.words  # kernels read the lanes, which hold the same bits
    images = _images(facts.image_size)
    with torch.no_grad():
        program = torch.export.export(made, (images,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    stream = io.BytesIO()
    torch.export.save(program, stream)
    _compare(real, stream.getvalue(), images)
    sources = {f"{package.replace('.', '/')}/__init__.py": "" for package in EMPTY}
    sources |= {f"{name.replace('.', '/')}.py": inspect.getsource(import_module(name)) for name in MODULES}
    script = with_reader(SCRIPT, squared).replace("@SIZE@", repr(facts.image_size)).replace("@CLASSES@", repr(facts.classes))
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, text in (*sources.items(), ("__main__.py", script)):
            zipped.writestr(zipfile.ZipInfo(name, DATE), text)
        zipped.writestr(zipfile.ZipInfo("model.pt2", DATE), stream.getvalue())
    write_atomic(folder / NAME, archive.getvalue())
    size = sum(value.nbytes for value in (*network.parameters(), *network.buffers()))
    return Bundle(folder / NAME, len(archive.getvalue()), len(stream.getvalue()), size, IMAGES)


def _images(side: int) -> Tensor:
    """Images of all brightnesses, (n, 3, side, side) of 0 to 255."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (IMAGES, 3, side, side), generator=generator, dtype=torch.uint8)


@torch.no_grad()
def _compare(real: nn.Module, written: bytes, images: Tensor) -> None:
    """Refuses a file whose network gives other probabilities than the real one.

    Raises:
        NotExported: tells the largest difference.
    """
    module = torch.export.load(io.BytesIO(written)).module()
    for count in (IMAGES, 2):
        wanted, found = real(images[:count]), module(images[:count])
        if not torch.equal(wanted, found):
            raise NotExported(f"the packed network differs from the real one by up to {float((wanted - found).abs().max()):.2g}")


SCRIPT = '''"""Classifies images with a packed binary network: python packed.zip IMAGE...

Needs torch, numba, numpy, pillow and jaxtyping; no compiler, and nothing of the project that made it.
"""

import io
import json
import sys
import zipfile
@IMPORTS@

import torch

import binary.packed.operator  # the operation that the network calls
from binary.packed.processor import fallback

SIZE = @SIZE@  # side of the network's input
CLASSES = @CLASSES@


@READER@


def read(path):
    """The image scaled to cover the input, the centre cut out: uint8 (1, 3, SIZE, SIZE)."""
    with opened(Path(path)) as image:
        square = squared(image, SIZE)
    return torch.from_numpy(np.ascontiguousarray(np.asarray(square).transpose(2, 0, 1)[None]))


def main():
    if len(sys.argv) < 2:
        sys.exit("usage: python packed.zip IMAGE...")
    if slow := fallback():
        print(f"note: {slow}", file=sys.stderr)
    with zipfile.ZipFile(sys.path[0]) as archive:
        network = torch.export.load(io.BytesIO(archive.read("model.pt2"))).module()
    for path in sys.argv[1:]:
        try:
            image = read(path)
        except Unusable as error:
            sys.exit(f"{path}: {error}")
        with torch.inference_mode():
            scores = network(torch.cat([image, image]))[0]  # batches of two and more are one program
        best = scores.argsort(descending=True, stable=True)[:5].tolist()
        print(json.dumps({"image": path, "classes": {CLASSES[i]: round(float(scores[i]), 4) for i in best}}))


if __name__ == "__main__":
    main()
'''
