"""What a segmentation data set is, wherever it comes from: samples, splits, and the three splits together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int64, UInt8
from numpy.typing import NDArray

from common.data.digest import digest
from common.data.record import SplitData
from common.errors import UserError
from common.streams import numpy_stream
from segmentation.data.labels import IGNORE, Colour

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One picture and the class of each of its pixels.

    Attributes:
        image: RGB; its memory is height-major (channels last).
        labels: positions in the split's `classes`, or 255 where the class does not count.
        file: where the picture came from, to name it in messages.
    """

    image: UInt8[Tensor, "3 h w"]
    labels: UInt8[Tensor, "h w"]
    file: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Split:
    """A fixed sequence of samples, which may differ in size.

    Attributes:
        name: "train", "val", "test", or the part of one.
        classes: class names in label order.
        files: where each picture came from.
        sizes: height and width of each picture in pixels.
        pixels: labelled pixels of each picture and class.
        read: sample i; picklable and pure.
        images: the picture's file of each sample, and
        annotations: its annotation's; none for samples out of memory alone, or for parts of a split.
    """

    name: str
    classes: tuple[str, ...]
    files: tuple[str, ...]
    sizes: Int64[np.ndarray, "n 2"]
    pixels: Int64[np.ndarray, "n classes"]
    read: Callable[[int], Sample]
    images: tuple[Path, ...] = ()
    annotations: tuple[Path, ...] = ()

    def __len__(self) -> int:
        """The number of samples."""
        return len(self.files)

    def __getitem__(self, index: int) -> Sample:
        """Sample `index`, counted from the end if negative; do not write to its tensors."""
        return self.read(range(len(self))[index])

    def __iter__(self) -> Iterator[Sample]:
        """Every sample in order, at full size."""
        return (self.read(index) for index in range(len(self)))

    @property
    def largest(self) -> tuple[int, int]:
        """The largest height and the largest width of all pictures, in pixels."""
        height, width = self.sizes.max(axis=0).tolist()
        return height, width

    @property
    def ignored(self) -> float:
        """Share of the pixels that do not count, 0 to 1."""
        total = int(self.sizes.prod(axis=1).sum())
        return 1 - int(self.pixels.sum()) / total if total else 0.0

    @property
    def absent(self) -> tuple[str, ...]:
        """The classes no pixel of the split has."""
        return tuple(name for name, pixels in zip(self.classes, self.pixels.T, strict=True) if not pixels.any())

    def pick(self, indices: Sequence[int], name: str) -> Split:
        """The samples `indices`, in that order, as a split of their own; pictures are shared, not copied."""
        chosen = tuple(range(len(self))[index] for index in indices)
        at = list(chosen)
        return Split(
            name=name,
            classes=self.classes,
            files=tuple(self.files[index] for index in chosen),
            sizes=self.sizes[at],
            pixels=self.pixels[at],
            read=_Picked(self.read, chosen),
        )

    def head(self, count: int) -> Split:
        """The first `count` samples (all of them if it has fewer), under the same name."""
        return self.pick(range(min(count, len(self))), self.name)


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """Reads samples out of memory; picture i has height and width of its own.

    Attributes:
        images: RGB, shape (h, w, 3).
        labels: as in a sample, shape (h, w).
        files: as in a split.
    """

    images: tuple[NDArray[np.uint8], ...]
    labels: tuple[NDArray[np.uint8], ...]
    files: tuple[str, ...]

    def __call__(self, index: int) -> Sample:
        """Sample `index`, sharing the memory."""
        import torch

        return Sample(
            image=torch.from_numpy(self.images[index]).permute(2, 0, 1),
            labels=torch.from_numpy(self.labels[index]),
            file=self.files[index],
        )


@dataclass(frozen=True, slots=True)
class _Picked:
    read: Callable[[int], Sample]
    chosen: tuple[int, ...]

    def __call__(self, index: int) -> Sample:
        return self.read(self.chosen[index])


def halves(split: Split, seed: int) -> tuple[Split, Split]:
    """Two disjoint random halves, for the weights and for the architecture of a bi-level search.

    Together they are the whole split; the first has one sample more if the number is odd. Samples keep their order.

    Raises:
        UserError: the split has fewer than two samples.
    """
    if len(split) < 2:
        raise UserError(f"split {split.name!r} has {len(split)} image(s): two halves need at least 2; add images")
    order = numpy_stream(seed, "halves", split.name).permutation(len(split))
    middle = (len(split) + 1) // 2
    first, second = np.sort(order[:middle]).tolist(), np.sort(order[middle:]).tolist()
    return split.pick(first, f"{split.name}/first half"), split.pick(second, f"{split.name}/second half")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SegmentationData(SplitData[Split]):
    """Splits with the same classes.

    Attributes:
        palette: RGB colour of each class, to draw it in.
        flip: a mirrored picture is as likely as the picture itself; not so for digits and letters.
    """

    palette: tuple[Colour, ...]
    flip: bool = True

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in label order."""
        return self.train.classes

    @property
    def ignore(self) -> int:
        """The label of pixels that do not count."""
        return IGNORE

    @property
    def size(self) -> tuple[int, int]:
        """The largest height and the largest width of the training pictures, in pixels."""
        return self.train.largest

    def files(self) -> dict[str, tuple[Path, ...]]:
        """See `SplitData.files`."""
        return {split.name: split.images for split in self.splits}

    def counts(self) -> dict[str, dict[str, int]]:
        """See `SplitData.counts`: pixels."""
        return {split.name: dict(zip(split.classes, split.pixels.sum(axis=0).tolist(), strict=True)) for split in self.splits}

    def marks(self) -> Iterator[bytes]:
        """See `SplitData.marks`: the classes, their pixels in every picture, and the annotations."""
        yield repr((self.classes, self.palette)).encode()
        for split in self.splits:
            yield np.ascontiguousarray(split.pixels).tobytes()
            yield digest(split.annotations, ()).encode()

    def facts(self) -> dict[str, Any]:
        """See `SplitData.facts`; shares are of the labelled pixels of a split, in class order."""
        return {
            "classes": list(self.classes),
            "palette": [list(colour) for colour in self.palette],
            "ignore": self.ignore,
            "size": list(self.size),
            "images": {split.name: len(split) for split in self.splits},
            "ignored": {split.name: round(split.ignored, 6) for split in self.splits},
            "shares": {split.name: _shares(split.pixels) for split in self.splits},
        }


def _shares(pixels: NDArray[np.int64]) -> list[float]:
    total = pixels.sum(axis=0)
    return (total / max(int(total.sum()), 1)).round(6).tolist()


def renamed(split: Split, name: str) -> Split:
    """The same samples under another name."""
    return replace(split, name=name)
