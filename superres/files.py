"""Picture files upscaled: which file becomes which, what is refused before any work, and how results are written."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from common.data.folder import ENDINGS, SUFFIXES, walk
from common.data.npz import memory
from common.data.pictures import of_user
from common.errors import UserError
from common.run.files import check_folder, free_path, write_atomic
from superres.channels import apart, converted, together
from superres.upscaling import TILE, passes, upscaled

SAVED: dict[str, dict[str, Any]] = {".jpg": {"quality": 95}, ".jpeg": {"quality": 95}, ".webp": {"lossless": True}}
"""Options of Pillow's writers, by ending."""
LONGEST = {".jpg": 65_500, ".jpeg": 65_500, ".webp": 16_383}
"""Most pixels of a side that a format takes, by ending."""
BYTES_PER_PIXEL = 32
"""Memory that an upscaled picture takes while it is made and written, about, besides the network's."""


def larger(
    network: nn.Module,
    colours: Image.Image,
    scale: int,
    *,
    tile: int = TILE,
    ensemble: bool = False,
    advance: Callable[[int], None] = lambda tiles: None,
) -> Image.Image:
    """An RGB picture `scale` times larger; see `superres.upscaling.upscaled`."""
    low = torch.from_numpy(np.asarray(colours).transpose(2, 0, 1).copy()).float()[None]
    made = upscaled(network, low, scale, tile=tile, ensemble=ensemble, advance=advance)[0]
    return Image.fromarray(made.to(torch.uint8).permute(1, 2, 0).cpu().contiguous().numpy())


def planned(source: Path, out: Path, scale: int) -> list[tuple[Path, Path]]:
    """Each picture file with the file that its upscaled picture is written to.

    Args:
        source: a picture file, or a folder of them.
        out: where to. A folder gets a file NAME-xSCALE.png for each picture; for one picture, a name with an ending is that of
            the file.
        scale: how many times pictures are upscaled.

    Raises:
        UserError: there is no such file or folder, or no picture in it; `out` is of another kind than `source`, has an ending
            that is not written here, or is the source itself.
    """
    if not source.exists():
        raise UserError(f"{source}: no such file or folder; give a picture or a folder of pictures")
    files = list(walk(source, source, deep=False).pictures) if source.is_dir() else [source]
    if source.is_dir() and out.is_dir() and out.samefile(source):
        raise UserError(f"{out} is the folder of the pictures that are upscaled; give another folder for the larger ones")
    if not files:
        raise UserError(f"{source}: no picture in it; give a folder of .jpg or .png files")
    if not source.is_dir() and out.suffix and not out.is_dir():
        if out.suffix.lower() not in SUFFIXES:
            raise UserError(f"{out}: pictures are not written as {out.suffix}; give a name that ends in one of {ENDINGS}")
        if out.exists() and out.samefile(source):
            raise UserError(f"{out} is the picture that is upscaled; give another file, a picture is never written over itself")
        check_folder(out.parent, "OUT")
        return [(source, out)]
    if out.suffix.lower() in SUFFIXES and not out.is_dir():
        raise UserError(f"{out} is the name of a picture, and {source} is a folder; give a folder for the upscaled pictures")
    check_folder(out, "OUT")
    taken = {file.resolve() for file in files}
    return [(file, free_path(out, f"{file.stem}-x{scale}", ".png", taken)) for file in files]


def left_out(source: Path) -> list[str]:
    """Names of what `planned` leaves out of a folder: sub-folders, hidden files, files without an ending of pictures."""
    if not source.is_dir():
        return []
    taken = set(walk(source, source, deep=False).pictures)
    return sorted(entry.name for entry in source.iterdir() if entry not in taken)


def check(source: Path, target: Path, scale: int, *, tile: int = TILE, ensemble: bool = False) -> int:
    """Refuses a picture that cannot be upscaled, or whose upscaled picture cannot be written to `target`.

    Returns:
        The number of tiles that `upscale_file` makes of it; see `superres.upscaling.passes`.

    Raises:
        UserError: the file cannot be used, its upscaled picture would not fit into memory, or the format of `target` cannot hold
            its size or its alpha channel.
    """
    colours, alpha, mode = of_user(source, lambda: apart(source))
    width, height = (side * scale for side in colours.size)
    if (needed := width * height * BYTES_PER_PIXEL) > (most := memory() // 2):
        raise UserError(
            f"{source}: {scale} times larger it has {width}x{height} pixels and takes {needed / 2**30:,.1f} GiB, and this "
            f"machine has room for {most / 2**30:,.1f} GiB; cut it into pieces"
        )
    suffix = target.suffix.lower()
    if max(width, height) > (limit := LONGEST.get(suffix, width + height)):
        raise UserError(
            f"{target}: {suffix} files have at most {limit:,} pixels a side, and {source} becomes {width}x{height}; give a name "
            "that ends in .png"
        )
    pixel = together(Image.new("RGB", (1, 1)), None if alpha is None else Image.new("L", (1, 1)), mode)
    if alpha is not None and not _keeps(pixel, suffix):
        raise UserError(
            f"{target}: {suffix} files do not keep the alpha channel that {source} has; give a name that ends in .png"
        )
    return passes(colours.height, colours.width, tile=tile, ensemble=ensemble)


def upscale_file(
    network: nn.Module,
    source: Path,
    target: Path,
    scale: int,
    *,
    tile: int = TILE,
    ensemble: bool = False,
    advance: Callable[[int], None] = lambda tiles: None,
) -> dict[str, Any]:
    """Writes the picture of the file `source`, upscaled, to `target`; see `check` for what is refused.

    Returns:
        What is printed: `image` and `picture` (the files), `size` (width and height of the picture made) and, where reading
        changed the pixels, `converted` (how).

    Raises:
        UserError: the file cannot be used, or `target` not be written.
    """
    colours, alpha, mode = of_user(source, lambda: apart(source))
    made = larger(network, colours, scale, tile=tile, ensemble=ensemble, advance=advance)
    picture = together(made, alpha, mode)
    profile = None if mode.startswith("CMYK") else colours.info.get("icc_profile")
    write_atomic(target, encoded(picture, target.suffix.lower(), profile))
    said = {"image": str(source), "picture": str(target), "size": list(picture.size)}
    return said | ({"converted": words} if (words := converted(mode)) else {})


def encoded(picture: Image.Image, suffix: str, profile: bytes | None = None) -> bytes:
    """The bytes of a picture file.

    Args:
        picture: what it shows.
        suffix: ending of the file, one of `SUFFIXES`.
        profile: colour profile (ICC) of the pixels; formats that have no place for it leave it out.

    Raises:
        OSError: the format cannot hold pictures of this mode.
    """
    buffer = io.BytesIO()
    kind = Image.registered_extensions()[suffix]
    picture.save(buffer, format=kind, icc_profile=profile, **SAVED.get(suffix, {}))
    return buffer.getvalue()


def _keeps(picture: Image.Image, suffix: str) -> bool:
    """Whether a file keeps the alpha channel of the picture."""
    try:
        with Image.open(io.BytesIO(encoded(picture, suffix))) as kept:
            return "A" in kept.getbands()
    except OSError:
        return False
