"""The reader of one picture file, for training, validation, `predict` and the scripts beside exported networks.

What stands below `PART` is copied into these scripts as it is, so that they see what training saw. It needs numpy and Pillow
alone.
"""

from __future__ import annotations

import inspect
import io
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

PART = "# ---- the reader of pictures: what training read, with the same numbers"
"""The line from which on the scripts have this file."""
IMPORTS = """import io
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps"""
"""What the scripts import for the reader and for what else they do with pictures."""


def with_reader(script: str, *functions: Callable[..., object]) -> str:
    """The text of a script with the reader in it.

    Args:
        script: its text; `@IMPORTS@` stands for the imports, `@READER@` for the reader.
        functions: what else the script shares with training: functions that need the reader and `IMPORTS` alone.
    """
    text = inspect.getsource(sys.modules[__name__])
    parts = [text[text.rindex(PART) :], *(inspect.getsource(function) for function in functions)]
    return script.replace("@IMPORTS@", IMPORTS).replace("@READER@", "\n\n".join(part.rstrip() + "\n" for part in parts).rstrip())


# ---- the reader of pictures: what training read, with the same numbers

DAMAGE = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error)
"""What Pillow's decoders raise on damaged files, seen by cutting and flipping bytes of JPEG and PNG files."""
DIRECT = ("1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr", "HSV")
"""Modes that Pillow converts to RGB itself."""
ALPHA = ("LA", "PA", "RGBA")
"""Modes with an alpha channel, which is dropped: the colour beneath stays."""
POINTER = b"version https://git-lfs.github.com/"
"""How a file begins whose content Git LFS has not fetched."""
ORIENTATION = 0x0112
"""EXIF's entry that says how a picture is turned; from 5 on it lies on its side."""
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What turns the stored picture into the displayed one, by orientation."""


class Unusable(Exception):
    """A picture cannot be used. The message says why, without the name of the file: `missing`, `damaged: ...`."""


def deep(image: Image.Image) -> bool:
    """Whether a colour has 16 bits in the file of the opened picture, not yet decoded; Pillow keeps 8 of them."""
    return not image.mode.startswith("I") and any(";16" in str(tile[3]) for tile in getattr(image, "tile", ()))


@contextmanager
def opened(stored: Path | bytes) -> Iterator[Image.Image]:
    """The picture of a file, or of its bytes: the header is read, pixels are decoded when the block asks for them.

    The picture is as stored: `as_rgb` turns it as EXIF says, and converts its pixels.

    Raises:
        Unusable: there is no such file, it is empty or no picture, it is too large for Pillow, or it is damaged where the block
            decodes it.
    """
    try:
        missing = isinstance(stored, Path) and not stored.is_file()
        strange = isinstance(stored, Path) and missing and stored.exists() and not stored.is_dir()
    except (OSError, ValueError):  # a name that no file can have
        missing, strange = True, False
    if missing:
        raise Unusable("no regular file" if strange else "missing")
    if not (stored.stat().st_size if isinstance(stored, Path) else len(stored)):
        raise Unusable("empty file")
    try:
        with Image.open(stored if isinstance(stored, Path) else io.BytesIO(stored)) as image:
            yield image
    except Image.UnidentifiedImageError:
        with stored.open("rb") if isinstance(stored, Path) else io.BytesIO(stored) as raw:
            if raw.read(len(POINTER)) == POINTER:
                raise Unusable("not an image but a pointer of Git LFS: fetch the files with `git lfs pull`") from None
        raise Unusable("not an image") from None
    except Image.DecompressionBombError:
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        raise Unusable(
            f"has more than the {most:,} pixels that Pillow decodes (its guard against files that fill the memory); "
            "the file need not be damaged: scale it down, or cut it into pieces"
        ) from None
    except DAMAGE as error:
        raise Unusable(f"damaged: {str(error).splitlines()[0] if str(error) else type(error).__name__}") from None


def check_mode(mode: str) -> None:
    """Refuses pixels that have no known range.

    Raises:
        Unusable: they are fractions, or of a mode without RGB.
    """
    if mode == "F":
        raise Unusable("has fractions as pixels (mode F), and their range is unknown: scale them to 0 to 255 and save 8 bits")
    if not (mode in DIRECT or mode in ALPHA or mode.startswith("I")):
        raise Unusable(f"has mode {mode}, which is not converted here: convert it to RGB")


def as_rgb(image: Image.Image) -> Image.Image:
    """The opened picture as displayed: turned as its EXIF orientation says, RGB, 8 bits a channel.

    Grey becomes three equal channels, 16-bit grey is divided by 257 (65,535 becomes 255) and rounded. Palettes, CMYK and other
    colour spaces are converted; alpha is dropped.

    Raises:
        Unusable: the pixels are fractions or whole numbers beyond 16 bits, whose range nobody knows, or of a mode without RGB.
    """
    check_mode(image.mode)
    image.load()
    turn = TURNS.get(image.getexif().get(ORIENTATION, 1))
    turned = image if turn is None else image.transpose(turn)
    if turned.mode.startswith("I"):
        # Pillow's own conversion clips 16-bit grey at 255: nearly all of it would be white.
        values = np.asarray(turned).astype(np.int64)
        if values.min() < 0 or values.max() > 65_535:
            raise Unusable(
                f"has pixels from {values.min()} to {values.max()}, beyond the 16 bits of 0 to 65535: scale them to 0 to 255 and "
                "save 8 bits"
            )
        turned = Image.fromarray(((values + 128) // 257).astype(np.uint8))
    if turned.mode == "PA" or (turned.mode == "P" and "transparency" in turned.info):
        turned = turned.convert("RGBA")
    return turned if turned.mode == "RGB" else turned.convert("RGB")


def read_rgb(stored: Path | bytes) -> Image.Image:
    """The picture of a file, or of its bytes, as displayed, RGB, fully decoded.

    Raises:
        Unusable: see `opened` and `as_rgb`.
    """
    with opened(stored) as image:
        return as_rgb(image)
