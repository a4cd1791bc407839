"""Data that need no download: digits and photographs from their edges, and two textures, all out of installed packages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from common.data.digits import SplitName, digits
from common.data.order import positions_at
from common.data.photographs import FILES, photographs
from common.errors import UserError
from common.streams import numpy_stream
from gan.data.images import Images, InMemory, check_size
from gan.data.translation import Split, TranslationData

Kind = Literal["digits", "photographs", "textures"]
PALETTE: tuple[tuple[tuple[int, int, int], tuple[int, int, int]], ...] = (
    ((120, 20, 30), (255, 205, 90)),
    ((15, 60, 130), (245, 240, 225)),
    ((250, 220, 90), (110, 30, 110)),
    ((20, 95, 60), (255, 170, 190)),
    ((240, 240, 240), (200, 30, 40)),
    ((60, 30, 90), (130, 235, 200)),
    ((255, 175, 190), (20, 50, 120)),
    ((25, 25, 30), (255, 130, 30)),
    ((140, 215, 240), (95, 45, 15)),
    ((185, 225, 130), (10, 70, 70)),
)
"""RGB of ground and ink of the digits 0 to 9; the two differ by at least 100 in brightness, so that edges are found."""
_SHARES: dict[SplitName, tuple[float, float]] = {"train": (0.0, 0.6), "val": (0.6, 0.8), "test": (0.8, 1.0)}  # of a width
_LEAST: dict[SplitName, int] = {"train": 1, "val": 2, "test": 2}  # statistics are taken over val and test
_SIGMA = 1.0  # pixels of blur before edges are looked for
_NOTES = {
    "digits": "targets are handwritten digits (scikit-learn) in colours that follow from the digit, inputs their edges (Canny); "
    "digits of train, val and test are disjoint",
    "photographs": "targets are patches of 13 photographs (scikit-image), inputs their edges (Canny); train takes the left 60 % "
    "of each photograph, val the next 20 %, test the rest",
    "textures": "inputs are patches of stained tissue, targets of a retina (two photographs of scikit-image); train takes the "
    "upper 60 % of each, val the next 20 %, test the rest",
}

Pixels = NDArray[np.uint8]


def embedded(kind: Kind, *, size: int, train: int, val: int, test: int, seed: int = 0) -> TranslationData:
    """Make the pictures; item i of a split is a function of (seed, split, i, size), whatever the split's length.

    "digits" (paired): a handwritten digit, enlarged smoothly, as coloured ink on a coloured ground; the input is its edges,
    black on white. Both colours follow from the digit's class (`PALETTE`), since a generator can tell the class from edges, but
    could not guess colours drawn at random. Every digit of a split comes once before one comes again. Do not mirror them: a
    mirrored digit may be none, or another.

    "photographs" (paired): a square of a photograph, of a side between `size` and twice that, scaled to `size`; the input is its
    edges.

    "textures" (unpaired): such squares of two photographs, brown and blue stained tissue (domain A, the inputs) and the red
    vessels of a retina (domain B, the targets).

    Args:
        kind: which pictures.
        size: side in pixels, a multiple of 4, at least 16; at most 88 for photographs, 96 for textures.
        train: pictures per domain of this split, at least 1.
        val: pictures per domain of this split, at least 2.
        test: pictures per domain of this split, at least 2.
        seed: of the pictures; what belongs to which split never changes.

    Raises:
        UserError: a size or number that cannot be.
    """
    check_size(size)
    wanted: tuple[tuple[SplitName, int], ...] = (("train", train), ("val", val), ("test", test))
    for name, count in wanted:
        if count < _LEAST[name]:
            raise UserError(f"{name}={count}: the embedded data needs at least {_LEAST[name]} pictures in this split")
    made = {name: _split(kind, name, count, size, seed) for name, count in wanted}
    return TranslationData(
        name=f"embedded {kind}",
        paired=kind != "textures",
        train=made["train"],
        val=made["val"],
        test=made["test"],
        notes=(_NOTES[kind],),
    )


def _split(kind: Kind, name: SplitName, count: int, size: int, seed: int) -> Split:
    if kind == "textures":
        tissue, retina = (_patches((photo,), name, size, seed, key) for photo, key in zip(_textures(), ("tissue", "retina")))
        inputs, targets = [tissue(index) for index in range(count)], [retina(index) for index in range(count)]
        return Split(name=name, inputs=_images(inputs, f"{name}/tissue"), targets=_images(targets, f"{name}/retina"))
    item = _digit(name, size, seed) if kind == "digits" else _patches(photographs(), name, size, seed, kind)
    targets = [item(index) for index in range(count)]
    edges = [_edges(target) for target in targets]
    return Split(name=name, inputs=_images(edges, f"{name}/edges"), targets=_images(targets, f"{name}/{kind}"))


def _images(pixels: Sequence[Pixels], folder: str) -> Images:
    files = tuple(f"{folder}/{index:06d}.png" for index in range(len(pixels)))
    return Images(files=files, read=InMemory(np.stack(pixels)))


def _digit(split: SplitName, size: int, seed: int) -> Callable[[int], Pixels]:
    table = digits(split)

    def item(index: int) -> Pixels:
        which = int(positions_at(len(table.labels), index, 1, seed, "gan", "digits", split)[0])
        # A blank ring lets the strokes that touch the 8x8 border end softly.
        padded = Image.fromarray(np.pad(table.images[which], 1))
        ink = np.asarray(padded.resize((size, size), Image.Resampling.BICUBIC), dtype=np.float32)
        opacity = np.clip((ink - 0.3) / 0.4, 0.0, 1.0)[..., None]
        ground, colour = np.array(PALETTE[int(table.labels[which])], dtype=np.float32)
        return np.rint(ground + opacity * (colour - ground)).astype(np.uint8)

    return item


def _patches(photos: tuple[Image.Image, ...], split: SplitName, size: int, seed: int, name: str) -> Callable[[int], Pixels]:
    low, high = _SHARES[split]
    regions = [photo.crop((round(low * photo.width), 0, round(high * photo.width), photo.height)) for photo in photos]
    room = min(min(region.size) for region in regions)
    if size > room:
        raise UserError(f"size={size}: the {split} parts of the photographs have {room} pixels: choose at most {room // 4 * 4}")

    def item(index: int) -> Pixels:
        rng = numpy_stream(seed, "gan", name, split, index)
        region = regions[int(rng.integers(len(regions)))]
        side = int(rng.integers(size, min(2 * size, *region.size) + 1))
        x, y = (int(rng.integers(length - side + 1)) for length in region.size)
        # Cut first: a resize of a box takes in pixels beyond it, and those may be another split's.
        return np.asarray(region.crop((x, y, x + side, y + side)).resize((size, size), Image.Resampling.BICUBIC))

    return item


@cache
def _textures() -> tuple[Image.Image, Image.Image]:
    """Tissue and retina, lying on their sides: parts of their heights are more alike than parts of their widths."""
    tissue, retina = (photographs()[FILES.index(name)] for name in ("ihc.png", "retina.jpg"))
    # The largest square inside the round picture, at half the size: at full size a patch shows hardly more than one red.
    half = int(0.345 * retina.width)
    x, y = retina.width // 2, retina.height // 2
    retina = retina.crop((x - half, y - half, x + half, y + half)).reduce(2)
    return tissue.transpose(Image.Transpose.TRANSPOSE), retina.transpose(Image.Transpose.TRANSPOSE)


def _edges(picture: Pixels) -> Pixels:
    """Black lines on white, shape (size, size, 3)."""
    from skimage.feature import canny

    grey = np.asarray(Image.fromarray(picture).convert("L"), dtype=np.float32) / 255.0
    lines = np.where(canny(grey, sigma=_SIGMA), 0, 255).astype(np.uint8)
    return np.repeat(lines[..., None], 3, axis=2)
