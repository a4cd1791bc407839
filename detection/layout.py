"""The COCO layout of a detection data set, checked by its folders and files alone. No torch here."""

from __future__ import annotations

from pathlib import Path

from common.errors import UserError

SPLITS = ("train", "val", "test")


def annotation_file(path: Path, split: str) -> Path:
    """Where the annotations of a split are."""
    return path / "annotations" / f"instances_{split}.json"


def check_layout(path: Path) -> tuple[str, ...]:
    """The splits that the folder has: "train", and "val" and "test" as far as they exist.

    Raises:
        UserError: it has no COCO layout.
    """
    if not path.is_dir():
        raise UserError(f"{path} is not a folder: give one with annotations/instances_{{train,val,test}}.json and images/")
    for name in ("annotations", "images"):
        if not (path / name).is_dir():
            raise UserError(f"{path} has no folder {name}/: COCO layout is annotations/instances_*.json and images/")
    found = tuple(split for split in SPLITS if annotation_file(path, split).exists())
    if "train" not in found:
        raise UserError(
            f"{annotation_file(path, 'train')} is missing: a COCO folder has annotations/instances_{{train,val,test}}.json and "
            "images/"
        )
    return found
