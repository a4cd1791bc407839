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


def missing(root: Path, split: str, images: Sequence[dict[str, Any]]) -> tuple[list[str], list[str]]:
    """What to say of missing images.

    Args:
        root: the data set.
        split: its split.
        images: the entries of the missing images.

    Returns:
        A line for each image, and the lines that say the same of all of them, for when no image of the split is there.
    """
    slips = [misnamed(root, split, image["file_name"]) for image in images]
    lines = []
    for image, slip in zip(images, slips, strict=True):
        line = f"image {image['file_name']} of {split}: missing"
        lines.append(f"{line}, but {slip.right} is there: {slip.cause}" if slip else line)
    name = images[0]["file_name"]
    whole = f"none of the {len(images)} images of {split} is where instances_{split}.json names it"
    if slips[0] and all(slip and slip.cause == slips[0].cause for slip in slips):
        return lines, [f"{whole}: {slips[0].cause}; write {slips[0].right!r} in place of {name!r}, and the others likewise"]
    return lines, [
        f"{whole}: {name!r} is looked for as images/{name} and images/{split}/{name}; move the files or correct the names"
    ]


def wrong_sizes(split: str, wrong: Sequence[tuple[dict[str, Any], Checked]]) -> tuple[list[str], list[str]]:
    """What to say of images of another size than stated; as `missing`, with the entries and what their files show."""
    lines, turned = [], 0
    for image, seen in wrong:
        stated, size = (image["width"], image["height"]), seen.size or (0, 0)
        line = (
            f"image {image['file_name']} is {size[0]}x{size[1]}, yet instances_{split}.json says {stated[0]}x{stated[1]} "
            "(width x height)"
        )
        if seen.turned and size == stated[::-1]:
            turned += 1
            line += ": its EXIF orientation turns it"
        elif size == stated[::-1]:
            line += ": width and height are interchanged"
        lines.append(line)
    if turned < len(wrong):
        return lines, lines
    return lines, [
        f"all {len(wrong)} images of {split} are turned by their EXIF orientation, and instances_{split}.json gives the sizes of "
        f"the stored pictures ({lines[0]}); pictures are read as displayed: if the boxes are of the stored pictures, remove the "
        "orientation (`exiftool -Orientation= -overwrite_original -r images`), else correct width and height"
    ]
