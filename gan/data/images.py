"""The pictures of one domain of one split: named, in a fixed order, and read at the size that is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8
from numpy.typing import NDArray
from PIL import Image

from common.data.cache import Cache
from common.data.reader import Unusable
from common.errors import UserError
from gan.data.files import Picture, decoded

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Images:
    """An ordered sequence of pictures.

    Attributes:
        files: where each picture came from, for messages and captions.
        read: picture i, counted from 0, at a side in pixels: RGB, uint8, shape (3, side, side); picklable and pure.
        paths: the file of each picture; none for pictures out of memory, or for parts of a sequence.
    """

    files: tuple[str, ...]
    read: Callable[[int, int], NDArray[np.uint8]]
    paths: tuple[Path, ...] = ()

    def __len__(self) -> int:
        """The number of pictures."""
        return len(self.files)

    def at(self, index: int, side: int) -> UInt8[Tensor, "3 side side"]:
        """Picture `index`, RGB, the whole of it squeezed into a square (bicubic, antialiased), as pix2pix does.

        Args:
            index: counted from 0, or from the end if negative.
            side: in pixels.

        Returns:
            The picture, whose memory may be shared: do not write to it.

        Raises:
            UserError: the picture's file cannot be read any more.
        """
        import torch

        return torch.from_numpy(self.read(range(len(self))[index], side))

    def pick(self, indices: Sequence[int]) -> Images:
        """The pictures `indices`, in that order; pixels are shared, not copied."""
        chosen = tuple(range(len(self))[index] for index in indices)
        return Images(files=tuple(self.files[index] for index in chosen), read=_Picked(self.read, chosen))

    def head(self, n: int) -> Images:
        """The first `n` pictures, or all of them if there are fewer."""
        return self.pick(range(min(n, len(self))))


@dataclass(frozen=True, slots=True, eq=False)
class InFiles:
    """Reads pictures from files, when they are first asked for."""

    pictures: tuple[Picture, ...]
    cache: Cache[NDArray[np.uint8]]

    def __call__(self, index: int, side: int) -> NDArray[np.uint8]:
        """Picture `index`, shape (3, side, side)."""
        picture = self.pictures[index]
        return self.cache.get((picture, side), lambda: _read(picture, side))


@dataclass(frozen=True, slots=True, eq=False)
class InMemory:
    """Reads pictures out of memory.

    Attributes:
        pixels: RGB, shape (n, h, w, 3).
    """

    pixels: NDArray[np.uint8]

    def __call__(self, index: int, side: int) -> NDArray[np.uint8]:
        """Picture `index`, shape (3, side, side)."""
        return squeezed(Image.fromarray(self.pixels[index]), side)


@dataclass(frozen=True, slots=True, eq=False)
class _Picked:
    read: Callable[[int, int], NDArray[np.uint8]]
    chosen: tuple[int, ...]

    def __call__(self, index: int, side: int) -> NDArray[np.uint8]:
        return self.read(self.chosen[index], side)


def squeezed(picture: Image.Image, side: int) -> NDArray[np.uint8]:
    """The whole RGB picture as a square of `side` pixels, shape (3, side, side)."""
    square = picture if picture.size == (side, side) else picture.resize((side, side), Image.Resampling.BICUBIC)
    return np.asarray(square).transpose(2, 0, 1).copy()


def check_size(size: int) -> None:
    """Refuses a side the generators cannot halve twice and restore.

    Raises:
        UserError: naming the size.
    """
    if size < 16 or size % 4:
        raise UserError(f"size={size}: generators halve pictures twice; choose a multiple of 4, at least 16")


def _read(picture: Picture, side: int) -> NDArray[np.uint8]:
    try:
        return squeezed(picture.cut(decoded(picture.path).rgb), side)
    except Unusable as error:
        raise UserError(f"{picture.path}: {error}; it was readable when the folder was checked: restore it") from None
