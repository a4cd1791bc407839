"""`python -m detection.data OUT.png`: look at a data set before training on it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import tyro

from common.errors import UserError


def main(
    out: Annotated[Path, tyro.conf.Positional],
    data: Path | None = None,
    split: Literal["train", "val", "test"] = "train",
    size: int | None = None,
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
    from detection.data import coco_folder, embedded
    from detection.data.export import preview

    shown = coco_folder(data, size, skip_bad) if data else embedded(size=size or 64, train=32, val=32, test=32)
    preview({"train": shown.train, "val": shown.val, "test": shown.test}[split]).save(out)
    for key, value in shown.describe().items():
        print(f"{key}: {value}")


if __name__ == "__main__":
    try:
        tyro.cli(main)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
