"""Squares of the background: the second class that backbones are pre-trained on where a data set has one class alone.

No torch here: readers of data use it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from common.streams import numpy_stream
from detection.data.samples import Split

LEAST = 4
"""Fewer squares than this are no second class."""
_TRIES = 20  # places tried for a square
_OVERLAP = 0.1  # share of a square that objects may cover


@dataclass(frozen=True, slots=True, kw_only=True)
class Square:
    """A place in a picture without an object.

    Attributes:
        index: of the sample in its split.
        box: xyxy in original pixels.
    """

    index: int
    box: tuple[float, float, float, float]


def free_squares(split: Split, limit: int = 5_000) -> tuple[Square, ...]:
    """Squares of the sizes of the boxes, one a box, at random places that objects and crowds cover by a tenth at most.

    A function of the annotations alone: no picture is read. Pictures without boxes give one square each, of the median size.

    Args:
        split: to look at.
        limit: about the most squares, evenly spaced over the samples.

    Returns:
        The squares; none if there are fewer than `LEAST`.
    """
    images = split.coco["images"]
    boxes: dict[int, list[tuple[float, float, float, float]]] = {image["id"]: [] for image in images}
    sides: dict[int, list[float]] = {image["id"]: [] for image in images}
    for note in split.coco["annotations"]:
        x, y, w, h = note["bbox"]
        boxes[note["image_id"]].append((x, y, x + w, y + h))
        if not note["iscrowd"]:
            sides[note["image_id"]].append(max(w, h))
    every = [side for own in sides.values() for side in own]
    median = float(np.median(every)) if every else 0.0
    found = []
    for index in range(0, len(images) if every else 0, -(-len(every) // limit) or 1):
        image = images[index]
        rng = numpy_stream(0, "background", index)
        taken = np.array(boxes[image["id"]], dtype=float).reshape(-1, 4)
        for side in sides[image["id"]] or [median]:
            box = _free((image["width"], image["height"]), side, taken, rng)
            if box is not None:
                found.append(Square(index=index, box=box))
    return tuple(found) if len(found) >= LEAST else ()


def _free(
    size: tuple[int, int], side: float, taken: np.ndarray, rng: np.random.Generator
) -> tuple[float, float, float, float] | None:
    """A square in a picture of width and height `size`, or None if no try found a free place."""
    side = float(min(side, *size))
    for x, y in rng.random((_TRIES, 2)).tolist():
        left, top = x * (size[0] - side), y * (size[1] - side)
        right, bottom = left + side, top + side
        wide = (np.minimum(taken[:, 2], right) - np.maximum(taken[:, 0], left)).clip(0)
        tall = (np.minimum(taken[:, 3], bottom) - np.maximum(taken[:, 1], top)).clip(0)
        if (wide * tall).sum() <= _OVERLAP * side * side:
            return left, top, right, bottom
    return None
