"""Pairs of a picture and its annotation, and what a layout of folders knows of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from common.data.problems import Problems
    from segmentation.data.labels import Labels


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The two files of a sample.

    Attributes:
        image: the picture.
        annotation: the value of each of its pixels.
        root: the data set, which messages name files below.
    """

    image: Path
    annotation: Path
    root: Path

    @property
    def file(self) -> str:
        """The picture's path below the data set."""
        return self.image.relative_to(self.root).as_posix()

    @property
    def annotation_file(self) -> str:
        """The annotation's path below the data set."""
        return self.annotation.relative_to(self.root).as_posix()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layout:
    """What was found in a folder, before any picture is opened.

    Attributes:
        labels: what annotation values mean.
        splits: the pairs of "train", "val" and, if there is one, "test", in the order of their names or lists.
        where: the folder or list each split comes from, to name it.
        notes: what a reader of the figures must know.
        left_out: what is no data, with the reason.
    """

    labels: Labels
    splits: Mapping[str, tuple[Pair, ...]]
    where: Mapping[str, str]
    notes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


def matched(
    root: Path, images: Mapping[str, Path], annotations: Mapping[str, Path], expected: Mapping[str, Path], problems: Problems
) -> tuple[Pair, ...]:
    """The pairs with the same key, sorted by it; a file without its partner is a skippable problem.

    Args:
        root: the data set.
        images: picture files by key.
        annotations: annotation files by key.
        expected: where the annotation of each picture, and the picture of each annotation, should be, by key.
        problems: what was found is added here.
    """
    both = sorted(images.keys() & annotations.keys())
    cause = "" if both else _other_names(root, images, annotations)
    if cause:
        problems.fatal.append(cause)
        return ()
    for key in sorted(images.keys() ^ annotations.keys()):
        kind, partner = ("image", "annotation") if key in images else ("annotation", "image")
        file = (images if key in images else annotations)[key]
        problems.skippable.append(
            f"{kind} {file.relative_to(root).as_posix()} has no {partner} {expected[key].relative_to(root).as_posix()}"
        )
    return tuple(Pair(image=images[key], annotation=annotations[key], root=root) for key in both)


def _other_names(root: Path, images: Mapping[str, Path], annotations: Mapping[str, Path]) -> str:
    """What to say where every annotation is named as its picture with the same letters more, such as NAME_mask; else ""."""
    if not images or not annotations:
        return ""
    first = min(images)
    for longer in sorted(key for key in annotations if first in key):
        before, after = longer.split(first, 1)
        if all(f"{before}{key}{after}" in annotations for key in images):
            file, partner = (found.relative_to(root).as_posix() for found in (images[first], annotations[longer]))
            return (
                f"annotations are named otherwise than their pictures ({partner} for {file}): rename them, without "
                f"{' and '.join(repr(part) for part in (before, after) if part)}"
            )
    return ""
