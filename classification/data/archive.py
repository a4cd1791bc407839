"""A data set in one npz file: every picture a compressed image file, end to end in one array per split.

`<split>_bytes` (uint8), `<split>_offsets` (n + 1 whole numbers: picture i is bytes offsets[i] to offsets[i + 1]),
`<split>_labels` (n whole numbers) for train, val and test, and `classes` (names). The CIFAR-10 subset comes so.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classification.data.assemble import Part, assemble
from classification.data.images import fault, picture, refuse_bad, side_by_side
from classification.data.splits import ClassificationData, Held
from common.data.digits import SPLITS, SplitName
from common.data.npz import BadNpz, MissingArray, read_npz
from common.data.shared import same_pixels
from common.errors import UserError


def read_archive(file: Path, name: str, *, size: int, skip_bad: bool, mirrored: bool) -> ClassificationData:
    """Read and decode all of `file`; CIFAR-10's 11,000 pictures take about three seconds of a core.

    Args:
        file: npz.
        name: of the data set.
        size: side the pictures are scaled to, in pixels.
        skip_bad: leave damaged pictures out and list them.
        mirrored: see `Split`.

    Raises:
        UserError: arrays are missing or do not fit together, or a picture is damaged.
    """
    arrays = _arrays(file)
    classes = tuple(str(label) for label in arrays["classes"].tolist())
    parts: dict[SplitName, Part] = {}
    faults: list[str] = []
    for split in SPLITS:
        parts[split], own = _part(file, split, arrays, len(classes), size)
        faults += own
    refuse_bad(str(file), faults, skip_bad)
    notes = same_pixels({split: part.source.take(part.rows) for split, part in parts.items()})
    return assemble(name, classes, parts, notes=notes, skipped=faults, mirrored=mirrored)


def _arrays(file: Path) -> dict[str, NDArray]:
    wanted = ["classes", *(f"{split}_{kind}" for split in SPLITS for kind in ("bytes", "offsets", "labels"))]
    try:
        arrays = read_npz(file, wanted)
    except MissingArray as name:
        raise UserError(f"{file} lacks the array {name}: copy it again, or write it") from None
    except (BadNpz, OSError) as error:
        raise UserError(f"{file} is no npz file, cut off or damaged ({error}): copy it again") from error
    for key, array in arrays.items():
        kinds = {"bytes": "u", "offsets": "iu", "labels": "iu"}.get(key.split("_")[-1], "U")
        if array.ndim != 1 or array.dtype.kind not in kinds or (key.endswith("_bytes") and array.dtype != np.uint8):
            rule = {"u": "bytes (uint8)", "iu": "whole numbers", "U": "text"}[kinds]
            raise UserError(f"{file}: {key} is {array.dtype} of shape {array.shape}, not a row of {rule}: write the file again")
    return arrays


def _part(file: Path, split: str, arrays: dict[str, NDArray], classes: int, size: int) -> tuple[Part, list[str]]:
    stored = arrays[f"{split}_bytes"]
    offsets = arrays[f"{split}_offsets"].astype(np.int64)
    labels = arrays[f"{split}_labels"].astype(np.int64)
    if len(offsets) != len(labels) + 1:
        raise UserError(
            f"{file}: {split}_offsets has {len(offsets)} entries for {len(labels)} labels, not one more: write the file again"
        )
    if offsets[0] < 0 or offsets[-1] > len(stored) or (np.diff(offsets) < 0).any():
        raise UserError(
            f"{file}: {split}_offsets run from {offsets.min()} to {offsets.max()}, not upwards within the {len(stored)} bytes of "
            f"{split}_bytes: write the file again"
        )
    outside = np.flatnonzero((labels < 0) | (labels >= classes))
    if len(outside):
        raise UserError(
            f"{file}: {split}_labels[{outside[0]}] is {labels[outside[0]]}, yet there are {classes} classes (labels 0 to "
            f"{classes - 1}): correct it"
        )
    images = np.zeros((len(labels), 3, size, size), dtype=np.uint8)

    def decode(index: int) -> str:
        def read() -> None:
            images[index] = picture(stored[offsets[index] : offsets[index + 1]].tobytes(), size)

        return fault(read)

    found = side_by_side(decode, len(labels))
    rows = np.array([row for row, reason in enumerate(found) if not reason], dtype=np.int64)
    faults = [f"image {row} of {split}: {reason}" for row, reason in enumerate(found) if reason]
    return Part(source=Held(images=images, files=(file,)), rows=rows, labels=labels[rows]), faults
