"""What a super-resolution data set is, wherever it comes from: pictures at two resolutions, splits, the three splits together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import UInt8

from common.data.cache import Cache
from common.data.reader import Unusable
from common.data.record import SplitData
from common.errors import UserError
from common.streams import numpy_stream
from superres.data.files import Pair, Picture, decoded, pair_of

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Split:
    """A fixed sequence of pictures, each of a size of its own.

    Attributes:
        name: "train", "val", "test", or the part of one.
        scale: of every pair.
        files: where each picture came from, for messages and captions.
        groups: the benchmark each picture belongs to ("Set5", say), or "".
        read: picture i, counted from 0, at both resolutions; picklable and pure.
        paths: the file of each picture; none for pictures out of memory.
    """

    name: str
    scale: int
    files: tuple[str, ...]
    groups: tuple[str, ...]
    read: Callable[[int], Pair]
    paths: tuple[Path, ...] = ()

    def __len__(self) -> int:
        """The number of pictures."""
        return len(self.files)

    def pair(self, index: int) -> tuple[UInt8[Tensor, "3 h w"], UInt8[Tensor, "3 sh sw"]]:
        """A picture at low and at high resolution, RGB, 0 to 255.

        Args:
            index: counted from 0, or from the end if negative.

        Returns:
            Low and high, the second `scale` times as high and as wide. Their memory is shared: do not write to it.

        Raises:
            UserError: the picture's file cannot be read any more.
        """
        import torch

        pair = self.read(range(len(self))[index])
        return torch.from_numpy(pair.low), torch.from_numpy(pair.high)

    def pick(self, indices: Sequence[int], name: str) -> Split:
        """The pictures `indices`, in that order, as a split of their own; pixels are shared, not copied."""
        chosen = tuple(range(len(self))[index] for index in indices)
        return Split(
            name=name,
            scale=self.scale,
            files=tuple(self.files[index] for index in chosen),
            groups=tuple(self.groups[index] for index in chosen),
            read=_Picked(self.read, chosen),
            paths=tuple(self.paths[index] for index in chosen) if self.paths else (),
        )

    def head(self, count: int) -> Split:
        """The first `count` pictures (all of them if it has fewer), under the same name."""
        return self.pick(range(min(count, len(self))), self.name)


@dataclass(frozen=True, slots=True, eq=False)
class InFiles:
    """Reads pictures from files when they are first asked for."""

    pictures: tuple[Picture, ...]
    scale: int
    cache: Cache[Pair]

    def __call__(self, index: int) -> Pair:
        """Picture `index`.

        Raises:
            UserError: its file cannot be read any more.
        """
        picture = self.pictures[index]
        return self.cache.get(picture.path, lambda: _read(picture.path, self.scale))


@dataclass(frozen=True, slots=True, eq=False)
class InMemory:
    """Reads pictures out of memory."""

    pairs: tuple[Pair, ...]

    def __call__(self, index: int) -> Pair:
        """Picture `index`."""
        return self.pairs[index]


@dataclass(frozen=True, slots=True, eq=False)
class _Picked:
    read: Callable[[int], Pair]
    chosen: tuple[int, ...]

    def __call__(self, index: int) -> Pair:
        return self.read(self.chosen[index])


def parts(split: Split, share: float, seed: int) -> tuple[Split, Split]:
    """Two disjoint random parts, for the weights of a supernet and for what chooses its paths.

    Together they are the whole split. Pictures keep their order.

    Args:
        split: to divide.
        share: of the first part, above 0 and below 1; either part has one picture at least.
        seed: of the division.

    Raises:
        UserError: the split has fewer than two pictures.
    """
    if len(split) < 2:
        raise UserError(f"split {split.name!r} has {len(split)} picture(s): two parts need at least 2; add pictures")
    order = numpy_stream(seed, "parts", split.name).permutation(len(split))
    middle = min(max(1, round(share * len(split))), len(split) - 1)
    first, second = np.sort(order[:middle]).tolist(), np.sort(order[middle:]).tolist()
    return split.pick(first, f"{split.name}/first part"), split.pick(second, f"{split.name}/second part")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SuperResData(SplitData[Split]):
    """Splits of one scale; no picture of train or test is in val, unless a note says otherwise.

    Attributes:
        scale: how many times higher and wider the high-resolution pictures are.
    """

    scale: int

    def files(self) -> dict[str, tuple[Path, ...]]:
        """See `SplitData.files`."""
        return {split.name: split.paths for split in self.splits}

    def marks(self) -> Iterator[bytes]:
        """See `SplitData.marks`: the scale, which low-resolution pictures follow from, and the benchmarks."""
        yield repr((self.scale, [(len(split), split.groups) for split in self.splits])).encode()

    def facts(self) -> dict[str, Any]:
        """See `SplitData.facts`; `benchmarks` counts the test pictures of each benchmark."""
        benchmarks = Counter(group for group in self.test.groups if group)
        return {
            "scale": self.scale,
            "images": {split.name: len(split) for split in self.splits},
            "benchmarks": dict(benchmarks),
        }


def _read(path: Path, scale: int) -> Pair:
    try:
        return pair_of(decoded(path).rgb, scale)
    except Unusable as error:
        raise UserError(f"{path}: {error}; it was readable when the folder was checked: restore it") from None
