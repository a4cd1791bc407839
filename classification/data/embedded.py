"""The data set that needs no download: the handwritten digits inside scikit-learn."""

from __future__ import annotations

import numpy as np

from classification.data.assemble import Part, assemble
from classification.data.splits import ClassificationData, Held
from common.data.digits import NAMES, SPLITS, SplitName, digits
from common.errors import UserError

_SIDE = 8  # of a digit in pixels
_NOTE = (
    "1,797 real handwritten digits of 8x8 pixels (scikit-learn): 60 % train, 20 % val, 20 % test of every class, disjoint and "
    "the same in every run"
)


def embedded(size: int = 16) -> ClassificationData:
    """The digits on squares of `size` pixels, in three equal channels, as the CIFAR stems take colour.

    Every pixel becomes a square of size // 8 pixels; the rest is a border of zeros, the same on both sides.

    Args:
        size: side of a picture in pixels, a multiple of 4 of at least 8; 16 and 32 have no border.

    Raises:
        UserError: another size.
    """
    if size < _SIDE or size % 4:
        raise UserError(f"size={size}: digits are 8x8 pixels, and networks halve them twice: give a multiple of 4 of at least 8")
    parts: dict[SplitName, Part] = {split: _part(split, size) for split in SPLITS}
    return assemble("embedded", NAMES, parts, notes=(_NOTE,), mirrored=False)


def _part(split: SplitName, size: int) -> Part:
    table = digits(split)
    factor = size // _SIDE
    border = (size - factor * _SIDE) // 2
    ink = np.rint(table.images * 255).astype(np.uint8)
    large = np.pad(ink.repeat(factor, axis=1).repeat(factor, axis=2), ((0, 0), (border, border), (border, border)))
    images = large[:, None].repeat(3, axis=1)
    return Part(source=Held(images=images), rows=np.arange(len(images)), labels=table.labels)
