"""`python -m detection.data OUT.png`: look at a data set before training on it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import tyro

from common.errors import UserError


def main(
    out: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUT.png")],
    data: Annotated[Path | None, tyro.conf.arg(metavar="FOLDER")] = None,
    split: Literal["train", "val", "test"] = "train",
    size: Annotated[int | None, tyro.conf.arg(metavar="PIXELS")] = None,
    skip_bad: bool = False,
) -> None:
    """Draw the first samples of a data set with their boxes.

    Args:
        out: picture to write (PNG).
        data: folder in COCO layout; the embedded scenes if not given.
        split: which samples.
        size: long side of the pictures in pixels.
        skip_bad: leave out damaged images and unusable boxes.
    """
    if out.suffix.lower() != ".png":
        raise UserError(f"{out} is no name of a PNG picture; give one that ends in .png")
    from detection.data import coco_folder, embedded
    from detection.data.export import preview

    shown = coco_folder(data, size, skip_bad) if data else embedded(size=size or 64, train=32, val=32, test=32)
    picture = preview({"train": shown.train, "val": shown.val, "test": shown.test}[split])
    try:
        picture.save(out)
    except OSError as error:
        raise UserError(f"{out} cannot be written ({error.strerror or error}); give another name") from None
    for key, value in shown.describe().items():
        print(f"{key}: {value}")


if __name__ == "__main__":
    try:
        tyro.cli(main, prog="python -m detection.data")
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
