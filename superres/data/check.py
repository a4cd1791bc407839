"""Every picture of a folder decoded and checked before training: what is wrong with it, and what must be told of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from common.data.cache import Cache
from common.data.pictures import Conversion, conversion_notes, in_threads
from common.data.problems import Problems
from common.data.reader import Unusable
from superres.data.files import Pair, Picture, decoded, pair_of
from superres.data.layouts import Layout
from superres.settings import LEAST_LOW_PATCH

WINDOW = 11
"""Side of the window that SSIM is computed in, in pixels (Z. Wang et al., IEEE Trans. Image Processing, 2004)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What pictures must be.

    Attributes:
        scale: of the data set.
        patch: side of a training patch, in pixels.
    """

    scale: int
    patch: int

    def too_small(self, split: str, width: int, height: int) -> str:
        """Why a picture of this size cannot be used in a split, as it follows "is WxH: "; empty if it can be."""
        side = min(width, height) // self.scale * self.scale
        if split == "train" and side < self.patch:
            remedy = f"; --set data.patch={side} takes it" if side >= LEAST_LOW_PATCH * self.scale else ""
            return f"a training patch has {self.patch} pixels a side{remedy}"
        least = WINDOW + 2 * self.scale
        if side < least:
            return f"scores need at least {least} pixels a side, a window of {WINDOW} within a border of {self.scale}"
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What decoding one picture found.

    Attributes:
        picture: the file.
        size: width and height of what it shows, in pixels.
        grey: its file holds no colours.
        digest: of the RGB pixels: equal pictures have equal ones.
        conversion: what reading its file as RGB changed.
        bytes: of both resolutions in memory.
    """

    picture: Picture
    size: tuple[int, int]
    grey: bool
    digest: bytes
    conversion: Conversion
    bytes: int


Found = tuple[Seen, ...]


def inspected(layout: Layout, rules: Rules, cache: Cache[Pair], problems: Problems) -> dict[str, Found]:
    """The pictures of each split that can be used.

    Args:
        layout: the files.
        rules: what pictures must be.
        cache: decoded pictures are put here, so that training does not decode them again.
        problems: what is wrong is added here.
    """
    kept = {}
    for split, pictures in layout.splits.items():
        found = in_threads(partial(_seen, split=split, rules=rules, cache=cache), pictures)
        problems.skippable.extend(item for item in found if isinstance(item, str))
        kept[split] = tuple(item for item in found if not isinstance(item, str))
    return kept


def notes_on(layout: Layout, found: Mapping[str, Found], rules: Rules, limit: int) -> Iterator[str]:
    """What a reader of the figures must know about the pictures.

    Args:
        layout: to name the folders.
        found: the usable pictures.
        rules: what they must be.
        limit: bytes of decoded pictures that are kept in memory.
    """
    every = [item for items in found.values() for item in items]
    uneven = sum(any(side % rules.scale for side in item.size) for item in every)
    if uneven:
        yield (
            f"{uneven:,} of {len(every):,} pictures have a side that is no multiple of {rules.scale}: they are cropped to one at "
            "the right and lower edge"
        )
    for split, items in found.items():
        grey = sum(item.grey for item in items)
        if grey:
            yield (
                f"{grey:,} of {len(items):,} pictures of {layout.where(split)} are grey: they are read as RGB with three equal "
                "channels"
            )
        yield from conversion_notes(layout.where(split), [item.conversion for item in items])
    needed = sum(item.bytes for item in found["train"])
    if needed > limit:
        yield (
            f"decoded training pictures take {needed / 2**30:.1f} GiB, of which {limit / 2**30:.1f} GiB are kept in memory: the "
            "others are decoded at every use; cut them into smaller files to train faster"
        )


def repeated(splits: Mapping[str, Found]) -> Iterator[str]:
    """A note for each two splits that share pictures, judged by their pixels, not by their names."""
    for first, second in (("train", "val"), ("train", "test"), ("val", "test")):
        if splits[first] is splits[second]:
            continue  # val serves as test, which is noted elsewhere
        common = {item.digest for item in splits[first]} & {item.digest for item in splits[second]}
        if common:
            yield f"{len(common):,} pictures of {first} are in {second} as well: the same pixels"


def _seen(picture: Picture, split: str, rules: Rules, cache: Cache[Pair]) -> Seen | str:
    """What is in a picture, or why it cannot be used."""
    try:
        file = decoded(picture.path)
    except Unusable as error:
        return f"{picture.file}: {error}"
    width, height = file.rgb.size
    reason = rules.too_small(split, width, height)
    if reason:
        return f"{picture.file} is {width}x{height}: {reason}"
    pair = cache.get(picture.path, lambda: pair_of(file.rgb, rules.scale))
    digest = hashlib.blake2b(file.rgb.tobytes(), key=str(file.rgb.size).encode(), digest_size=16).digest()
    return Seen(
        picture=picture,
        size=(width, height),
        grey=file.grey,
        digest=digest,
        conversion=file.conversion,
        bytes=pair.nbytes,
    )
