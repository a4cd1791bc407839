"""Every pair of files read and checked before training: what is wrong with it, its size, its values, and its pixels if kept."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from common.data.pictures import Conversion, in_threads
from segmentation.data.files import (
    NotIndices,
    Unusable,
    counts,
    header,
    read_picture,
    read_values,
    reduce_values,
    reduced,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from segmentation.data.labels import Labels
    from segmentation.data.pairs import Pair

_KEEP_BYTES = 1 << 30  # decoded pictures and annotations of one split that are kept in memory


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Seen:
    """What reading one pair found.

    Attributes:
        pair: the files.
        stated: height and width of the picture's file.
        size: height and width after the reduction asked for.
        counts: pixels per file value after the reduction, shape (256,); zeros if the pair cannot be used.
        image: RGB, where kept, shape (*size, 3).
        values: of the annotation's file, where kept, shape `size`.
        turned: the picture is displayed on its side, as its EXIF orientation says.
        conversion: what reading the picture as RGB changes.
        fatal: why only a repair of the files helps, or "".
        skippable: why the pair cannot be used, or "".
    """

    pair: Pair
    stated: tuple[int, int] = (0, 0)
    size: tuple[int, int] = (0, 0)
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(256, dtype=np.int64))
    image: NDArray[np.uint8] | None = None
    values: NDArray[np.uint8] | None = None
    turned: bool = False
    conversion: Conversion = ""
    fatal: str = ""
    skippable: str = ""


def inspected(pairs: Sequence[Pair], labels: Labels, size: int | None, skip_bad: bool) -> list[Seen]:
    """What reading each pair of a split finds.

    Annotations are decoded; pictures are as well and kept, if the split fits in memory.

    Args:
        pairs: the split's files.
        labels: what annotation values are allowed.
        size: long side that larger pictures are reduced to, in pixels, or None.
        skip_bad: damaged pictures are to be found, so decode them even if they are not kept.
    """
    headers = in_threads(partial(_header, size=size), pairs)
    keep = sum(4 * item.size[0] * item.size[1] for item in headers) <= _KEEP_BYTES
    return in_threads(partial(_pair, labels=labels, size=size, decode=keep or skip_bad, keep=keep), headers)


def _header(pair: Pair, size: int | None) -> Seen:
    try:
        found = header(pair.image)
    except Unusable as error:
        return Seen(pair=pair, skippable=f"image {pair.file}: {error}")
    wide, tall = reduced(found.size, size)
    return Seen(
        pair=pair, stated=(found.size[1], found.size[0]), size=(tall, wide), turned=found.turned, conversion=found.conversion
    )


def _pair(item: Seen, labels: Labels, size: int | None, decode: bool, keep: bool) -> Seen:
    """The pair with its annotation checked, and with the pixels if they are kept."""
    if item.skippable:
        return item
    pair = item.pair
    try:
        values = read_values(pair.annotation)
    except NotIndices as error:
        return replace(item, fatal=f"annotation {pair.annotation_file} {error}: convert its colours to indices")
    except Unusable as error:
        return replace(item, skippable=f"annotation {pair.annotation_file}: {error}")
    if values.shape != item.stated:
        height, width = item.stated
        turned = item.turned and values.shape == (width, height)
        cause = ": the picture's EXIF orientation turns it, the annotation is not turned; turn one of them" if turned else ""
        return replace(
            item,
            skippable=f"image {pair.file} is {width}x{height}, yet its annotation {pair.annotation_file} is "
            f"{values.shape[1]}x{values.shape[0]} (width x height){cause}",
        )
    number = counts(values)
    wrong = [value for value in number if not 0 <= value <= 255 or labels.table[value] < 0]
    if wrong:
        first = ", ".join(f"{value} ({number[value]} pixels)" for value in wrong[:3]) + (", ..." if len(wrong) > 3 else "")
        return replace(item, fatal=f"annotation {pair.annotation_file} has the label value {first}; {labels.rule}")
    small = reduce_values(values.astype(np.uint8), size)
    image = None
    if decode:
        try:
            image = read_picture(pair.image, size)
        except Unusable as error:
            return replace(item, skippable=f"image {pair.file}: {error}")
    total = np.bincount(small.ravel(), minlength=256).astype(np.int64)
    return replace(item, counts=total, image=image if keep else None, values=small if keep else None)
