"""Why images of a COCO folder are not found, or not of the size stated: the cause that they have in common, and its remedy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.data.folder import SUFFIXES, is_file

if TYPE_CHECKING:
    from detection.data.images import Checked


@dataclass(frozen=True, slots=True, kw_only=True)
class Misnamed:
    """A file that is there, under another name than the annotations give.

    Attributes:
        cause: what is wrong with the name.
        right: the name that leads to the file.
    """

    cause: str
    right: str


def find(root: Path, split: str, file_name: str) -> Path:
    """Where an image lies: in images/, or in the split's folder within."""
    plain, inside = root / "images" / file_name, root / "images" / split / file_name
    return inside if not is_file(plain) and is_file(inside) else plain


def misnamed(root: Path, split: str, file_name: str) -> Misnamed | None:
    """How a file is named that the annotations name otherwise; None if it is not found by any of the usual slips."""
    slashes = file_name.replace("\\", "/")
    if slashes != file_name and is_file(find(root, split, slashes)):
        return Misnamed(cause="file names have Windows separators (\\)", right=slashes)
    below = slashes.removeprefix("./").removeprefix("images/")
    if is_file(root / slashes) and is_file(find(root, split, below)):
        return Misnamed(cause="file names start at the data folder, yet they are looked for in images/", right=below)
    last = slashes.rsplit("/", 1)[-1]
    if last != slashes and is_file(find(root, split, last)):
        return Misnamed(cause="file names have folders that are not there", right=last)
    stem = slashes.rsplit(".", 1)[0]
    for ending in (*SUFFIXES, *(suffix.upper() for suffix in SUFFIXES)):
        if is_file(find(root, split, stem + ending)):
            return Misnamed(cause="the files have another ending", right=stem + ending)
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """An image that cannot be used as the annotations describe it.

    Attributes:
        split: its split.
        image: its entry in the annotations.
        seen: what its file shows.
    """

    split: str
    image: dict[str, Any]
    seen: Checked


def missing(root: Path, failed: Sequence[Failed]) -> list[str]:
    """A line for each image that is not there, with the name that leads to its file where one of the usual slips does."""
    slips = [misnamed(root, one.split, one.image["file_name"]) for one in failed]
    return [
        f"image {one.image['file_name']} of {one.split}: missing" + (f", but {slip.right} is there: {slip.cause}" if slip else "")
        for one, slip in zip(failed, slips, strict=True)
    ]


def all_missing(root: Path, failed: Sequence[Failed]) -> str:
    """What to say of splits none of whose images is there; the cause is named where it is the same of all."""
    slips = [misnamed(root, one.split, one.image["file_name"]) for one in failed]
    name, split = failed[0].image["file_name"], failed[0].split
    whole = f"none of the {len(failed)} images of {_splits(failed)} is where the annotations name it"
    first = slips[0]
    if first and all(slip and slip.cause == first.cause for slip in slips):
        return f"{whole}: {first.cause}; write {first.right!r} in place of {name!r}, and the others likewise"
    return f"{whole}: {name!r} is looked for as images/{name} and images/{split}/{name}; move the files, or correct the names"


def wrong_size(one: Failed) -> str:
    """What to say of an image of another size than stated."""
    stated, size = (one.image["width"], one.image["height"]), one.seen.size or (0, 0)
    line = (
        f"image {one.image['file_name']} is {size[0]}x{size[1]}, yet instances_{one.split}.json says {stated[0]}x{stated[1]} "
        "(width x height)"
    )
    if size != stated[::-1]:
        return line
    return f"{line}: {'its EXIF orientation turns it' if one.seen.turned else 'width and height are interchanged'}"


def all_of_wrong_size(failed: Sequence[Failed]) -> list[str]:
    """What to say of splits all of whose images have another size than stated."""
    lines = [wrong_size(one) for one in failed]
    if not all(line.endswith("EXIF orientation turns it") for line in lines):
        return lines
    return [
        f"all {len(failed)} images of {_splits(failed)} are turned by their EXIF orientation, and the annotations give the sizes "
        f"of the stored pictures ({lines[0]}); pictures are read as displayed: if the boxes are of the stored pictures, remove "
        "the orientation (`exiftool -Orientation= -overwrite_original -r images`), else correct width and height"
    ]


def _splits(failed: Sequence[Failed]) -> str:
    *first, last = dict.fromkeys(one.split for one in failed)
    return f"{', '.join(first)} and {last}" if first else last
