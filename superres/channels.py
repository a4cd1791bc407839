"""Colours and alpha of a picture file apart, and together again: grey stays grey, and alpha is kept.

`apart` and `together` are copied into the scripts beside exported networks; they need numpy, Pillow and the reader alone.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from common.data.reader import ALPHA, ORIENTATION, TURNS, as_rgb, deep, opened


def apart(stored: Path | bytes) -> tuple[Image.Image, Image.Image | None, str]:
    """Colours (RGB, 8 bits) and alpha (L) of the picture of a file, or of its bytes, as displayed, and the mode it is stored in.

    The mode is Pillow's, with ";16" behind it where colours have 16 bits in the file.
    Alpha is None where the file has none. 16-bit grey has none either: a value that it declares transparent stays visible.

    Raises:
        Unusable: the file is missing, empty, damaged, no picture, or of pixels without a range.
    """
    with opened(stored) as image:
        mode = f"{image.mode};16" if deep(image) else image.mode
        colours, alpha = as_rgb(image), None
        if image.mode in ALPHA or ("transparency" in image.info and not image.mode.startswith("I")):
            alpha = image.convert("RGBA").getchannel("A")
            turn = TURNS.get(image.getexif().get(ORIENTATION, 1))
            alpha = alpha if turn is None else alpha.transpose(turn)
        return colours, alpha, mode


def together(colours: Image.Image, alpha: Image.Image | None, mode: str) -> Image.Image:
    """Upscaled colours as a picture: grey if the file of mode `mode` was, with its alpha channel upscaled bicubically."""
    grey = mode.split(";")[0] in ("1", "L", "LA") or mode.startswith("I")
    picture = colours.convert("L") if grey else colours.copy()
    if alpha is not None:
        picture.putalpha(alpha.resize(picture.size, Image.Resampling.BICUBIC))
    return picture


def converted(mode: str) -> str:
    """What reading a file of mode `mode` changes of its pixels, in words; empty where nothing is changed."""
    if mode.startswith("I"):
        return "16-bit grey is read as 8-bit grey"
    if mode.endswith(";16"):
        return "16-bit colours are read as 8-bit colours"
    if mode == "1":
        return "black and white is read as grey"
    return "" if mode in ("L", "LA", "RGB", "RGBA") else f"{'a palette' if mode in ('P', 'PA') else mode} is read as RGB"
