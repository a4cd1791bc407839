"""The layouts of segmentation folders, told apart and checked by folders and files alone. No torch here."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from common.errors import UserError

Kind = Literal["Cityscapes", "VOC", "split folders"]
_LAYOUTS = (
    "train/, trainannot/, val/, valannot/ and classes.txt; or Cityscapes' leftImg8bit/ and gtFine/; "
    "or VOC's JPEGImages/, SegmentationClass/ and ImageSets/Segmentation/"
)


def check_layout(path: Path) -> Kind:
    """The layout of a folder.

    Raises:
        UserError: it has none, or lacks a folder of it.
    """
    if not path.is_dir():
        raise UserError(f"{path} is not a folder: give one with {_LAYOUTS}")
    if (path / "leftImg8bit").is_dir():
        for name in ("leftImg8bit/train", "leftImg8bit/val", "gtFine/train", "gtFine/val"):
            if not (path / name).is_dir():
                raise UserError(
                    f"{path} has no folder {name}/: Cityscapes is leftImg8bit/ and gtFine/, each with train/ and val/"
                )
        return "Cityscapes"
    if (path / "JPEGImages").is_dir():
        if not (path / "SegmentationClass").is_dir():
            raise UserError(f"{path} has JPEGImages/ but no SegmentationClass/: VOC annotations are SegmentationClass/NAME.png")
        return "VOC"
    if not (path / "train").is_dir():
        raise UserError(f"{path} has no known layout: give a folder with {_LAYOUTS}")
    for name in splits_of(path):
        for part in (name, f"{name}annot"):
            if not (path / part).is_dir():
                raise UserError(f"{path} has no folder {part}/: each split has its pictures in NAME/, annotations in NAMEannot/")
    return "split folders"


def splits_of(path: Path) -> tuple[str, ...]:
    """The splits of split folders: "train", "val" and, if there is a folder of it, "test"."""
    more = ("test",) if (path / "test").is_dir() or (path / "testannot").is_dir() else ()
    return ("train", "val", *more)
