"""Pictures of any kind, decoded to square RGB; what is damaged is found before the first step is trained on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from jaxtyping import Int64, UInt8
from numpy.typing import NDArray
from PIL import Image, ImageOps

from common.data.pictures import Conversion, conversion, in_threads
from common.data.problems import listing
from common.data.reader import Unusable, as_rgb, opened
from common.errors import UserError

Found = TypeVar("Found")

_THREADED = 8  # pictures from which on threads pay


def picture(stored: Path | bytes, size: int) -> NDArray[np.uint8]:
    """Decode one picture: turned as EXIF says, RGB, the shorter side scaled to `size`, the centre cut out.

    What is converted is said in `common.data.reader.as_rgb`. Of an animation the first frame counts. A smaller picture is
    enlarged. Scaling is bilinear with antialiasing; large JPEGs are first reduced by the decoder, to no less than twice `size`.

    Args:
        stored: a file, or its bytes.
        size: side of the result in pixels.

    Returns:
        The picture, shape (3, size, size).

    Raises:
        Unusable: it is missing, empty, damaged, no picture, or of pixels without a range.
    """
    return _decoded(stored, size)[0]


def squared(image: Image.Image, size: int) -> Image.Image:
    """The opened picture as RGB, scaled to cover a square of side `size`, the centre cut out; also part of exported scripts."""
    image.draft("RGB", (2 * size, 2 * size))
    return ImageOps.fit(as_rgb(image), (size, size), Image.Resampling.BILINEAR)


def _decoded(stored: Path | bytes, size: int) -> tuple[NDArray[np.uint8], tuple[int, int], Conversion]:
    """The picture, its original width and height, and what was converted."""
    with opened(stored) as image:
        original, converted = image.size, conversion(image)
        pixels = np.asarray(squared(image, size))
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)), original, converted


def fault(read: Callable[[], object]) -> str:
    """Why a picture cannot be decoded by `read`, or an empty string."""
    try:
        read()
    except Unusable as error:
        return str(error)
    return ""


def side_by_side(job: Callable[[int], Found], count: int) -> list[Found]:
    """`job` of 0 to count - 1, in order; many of them in threads (Pillow releases the interpreter's lock)."""
    if count < _THREADED:
        return [job(i) for i in range(count)]
    return in_threads(job, range(count))


def refuse_bad(name: str, faults: Sequence[str], skip_bad: bool) -> None:
    """Raise if there are damaged pictures that must not be skipped.

    Args:
        name: of the file or folder that holds them.
        faults: one line for each.
        skip_bad: whether they may be left out.

    Raises:
        UserError: one line with the first few, the number of the others, and the remedy.
    """
    if faults and not skip_bad:
        raise UserError(f"{name}: {listing(faults, 'bad images')}; replace them, or pass --skip-bad to leave them out")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What decoding a file found.

    Attributes:
        fault: why it cannot be used, or an empty string.
        small: it is smaller than the side asked for.
        conversion: what reading it as RGB changed.
    """

    fault: str = ""
    small: bool = False
    conversion: Conversion = ""


class Files:
    """Pictures in files, decoded when first asked for, and kept if asked to; a pickle holds the paths alone."""

    def __init__(self, files: tuple[Path, ...], size: int, keep: bool) -> None:
        """Make a source of which row i is `files[i]`.

        Args:
            files: of pictures.
            size: side they are decoded to, in pixels.
            keep: remember what was decoded: `3 * size * size` bytes per picture.
        """
        self._files = files
        self._size = size
        self._kept = np.empty((len(files) if keep else 0, 3, size, size), dtype=np.uint8)
        self._have = np.zeros(len(files), dtype=bool)

    def __reduce__(self) -> tuple[type[Files], tuple[tuple[Path, ...], int, bool]]:
        """Without what was decoded: a worker reads what it needs."""
        return Files, (self._files, self._size, len(self._kept) > 0)

    @property
    def size(self) -> int:
        """Side of every picture in pixels."""
        return self._size

    def __len__(self) -> int:
        """The number of files."""
        return len(self._files)

    @property
    def files(self) -> tuple[Path, ...]:
        """The file of each row."""
        return self._files

    def take(self, rows: Int64[np.ndarray, "n"]) -> UInt8[np.ndarray, "n 3 size size"]:
        """The pictures of `rows`, decoded in parallel threads where they are not kept.

        Raises:
            UserError: a file cannot be read.
        """
        asked = rows.tolist()
        if len(self._kept):
            fresh = [row for row in dict.fromkeys(asked) if not self._have[row]]
            side_by_side(lambda i: self._read(fresh[i]), len(fresh))
            return self._kept[rows]
        images = np.empty((len(asked), 3, self._size, self._size), dtype=np.uint8)
        side_by_side(lambda i: np.copyto(images[i], self._read(asked[i])), len(asked))
        return images

    def check(self) -> list[Checked]:
        """Decode every file."""

        def look(row: int) -> Checked:
            try:
                _, original, converted = self._decode(row)
            except Unusable as error:
                return Checked(fault=str(error))
            return Checked(small=min(original) < self._size, conversion=converted)

        return side_by_side(look, len(self))

    def _decode(self, row: int) -> tuple[NDArray[np.uint8], tuple[int, int], Conversion]:
        decoded, original, converted = _decoded(self._files[row], self._size)
        if len(self._kept):
            self._kept[row] = decoded
            self._have[row] = True
        return decoded, original, converted

    def _read(self, row: int) -> NDArray[np.uint8]:
        try:
            return self._decode(row)[0]
        except Unusable as error:
            raise UserError(f"{self._files[row]}: cannot be decoded ({error}); replace it, or pass --skip-bad") from None
