"""From pairs of files to splits: every annotation is read and checked, and what fits is kept in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from common.data.folder import left_out_notes
from common.data.pictures import VAL_IS_TEST, conversion_notes
from common.data.problems import listing
from common.data.shared import check_disjoint, copies
from common.errors import UserError
from segmentation.data.files import Unusable, read_picture, read_values, reduce_values
from segmentation.data.inspection import inspected
from segmentation.data.labels import IGNORE
from segmentation.data.samples import Held, Sample, SegmentationData, Split, renamed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from common.data.problems import Problems
    from segmentation.data.inspection import Seen
    from segmentation.data.labels import Labels
    from segmentation.data.pairs import Layout, Pair


def checked(root: Path, layout: Layout, problems: Problems, *, size: int | None, skip_bad: bool) -> SegmentationData:
    """The splits of a layout.

    Args:
        root: the data set.
        layout: its pairs of files.
        problems: what was found so far.
        size: long side that larger pictures are reduced to, in pixels, or None.
        skip_bad: leave skippable problems out.

    Raises:
        UserError: the data cannot be used.
    """
    if not all(layout.splits.values()):
        problems.report(root, skip=skip_bad)
        _check_empty(root, layout, layout.splits)
    files = {name: [pair.image for pair in pairs] for name, pairs in layout.splits.items()}
    check_disjoint(files, root, problems)
    seen = {}
    for name, pairs in layout.splits.items():
        found = inspected(pairs, layout.labels, size, skip_bad)
        problems.fatal.extend(item.fatal for item in found if item.fatal)
        problems.skippable.extend(item.skippable for item in found if item.skippable)
        seen[name] = [item for item in found if not item.fatal and not item.skippable]
    notes = [*layout.notes, *left_out_notes(layout.left_out), *copies(files, root)]
    labels = layout.labels
    if not problems.fatal and all(seen.values()):
        _check_binary(seen, labels, problems)
        absent = _absent(seen, labels, problems, notes)
        labels = labels.without(absent)
    problems.report(root, skip=skip_bad)
    _check_empty(root, layout, seen)
    if len(labels.classes) < 2:
        raise UserError(
            f"{root}: {layout.where['train']} has pixels of {' and '.join(labels.classes) or 'no class'} only, yet "
            "segmentation needs at least two classes: annotate more, or correct the classes"
        )
    for name, items in seen.items():
        notes += conversion_notes(name, [item.conversion for item in items])
    splits = {name: _split(name, items, labels, size) for name, items in seen.items()}
    if not splits["val"].pixels.any():
        raise UserError(f"{root}: {layout.where['val']} has ignored pixels only: nothing can be scored on it; annotate some")
    if "test" in splits and not splits["test"].pixels.any():
        notes.append(f"{layout.where['test']} has ignored pixels only: {VAL_IS_TEST}")
        del splits["test"]
    for split in splits.values():
        notes.extend(f"class {name!r} has no pixel in {split.name}: it has no IoU there" for name in split.absent)
        blank = int((~split.pixels.any(axis=1)).sum())
        if blank:
            notes.append(f"{blank} of {len(split)} images of {split.name} have ignored pixels only")
    ignored = [f"{split.ignored:.1%} in {split.name}" for split in splits.values() if split.ignored]
    if ignored:
        notes.append(f"pixels that are neither trained on nor scored: {', '.join(ignored)}")
    if size is not None:
        notes.append(f"pictures and annotations are reduced to a long side of at most {size} pixels, for the figures as well")
    return SegmentationData(
        name=str(root),
        train=splits["train"],
        val=splits["val"],
        test=splits.get("test") or renamed(splits["val"], "test"),
        palette=labels.palette,
        notes=tuple(notes),
        skipped=tuple(problems.skippable),
    )


def _check_empty(root: Path, layout: Layout, splits: Mapping[str, Sequence[object]]) -> None:
    for name, items in splits.items():
        if not items:
            raise UserError(f"{root}: {layout.where[name]} has no usable image: every split needs at least one; add some")


def _check_binary(seen: Mapping[str, Sequence[Seen]], labels: Labels, problems: Problems) -> None:
    """Masks of 0 and 255 are nearly always of two classes, yet 255 is ignored everywhere: names the cause."""
    counts = sum((item.counts for items in seen.values() for item in items), np.zeros(256, dtype=np.int64))
    values = np.flatnonzero(counts).tolist()
    used = [value for value in values if value != IGNORE]
    if len(used) == 1 and values[-1] == IGNORE and labels.table[used[0]] != IGNORE:
        other = next(label for label in range(len(labels.classes)) if label != labels.table[used[0]])
        problems.fatal.append(
            f"every annotation has the values {used[0]} and {IGNORE} alone, and {IGNORE} is ignored in every layout "
            f"({int(counts[IGNORE]):,} pixels): write the pixels of {labels.classes[other]!r} as {labels.value_of(other)}"
        )


def _absent(seen: dict[str, list[Seen]], labels: Labels, problems: Problems, notes: list[str]) -> tuple[str, ...]:
    """The classes without a training pixel: those of other splits are a skippable problem each, those of none a note."""
    pixels = {name: _pixels(items, labels).sum(axis=0) for name, items in seen.items()}
    absent, unused = [], []
    for label, name in enumerate(labels.classes):
        if not pixels["train"][label]:
            absent.append(name)
            others = sum(int(total[label]) for total in pixels.values())
            told = f"class {name!r} (label value {labels.value_of(label)})"
            if others:
                problems.skippable.append(f"{told} has no pixel in train ({others} in the other splits)")
            else:
                unused.append(told)
    if unused:
        notes.append(f"left out, as no annotation has them: {listing(unused, 'classes')}")
    return tuple(absent)


def _pixels(items: list[Seen], labels: Labels) -> NDArray[np.int64]:
    """Labelled pixels of each pair and class, shape (pairs, classes)."""
    total = np.zeros((len(items), len(labels.classes)), dtype=np.int64)
    values = np.flatnonzero((labels.table >= 0) & (labels.table < 255))
    for row, item in zip(total, items, strict=True):
        np.add.at(row, labels.table[values], item.counts[values])
    return total


def _split(name: str, items: list[Seen], labels: Labels, size: int | None) -> Split:
    files = tuple(item.pair.file for item in items)
    images = tuple(item.image for item in items if item.image is not None)
    values = tuple(item.values for item in items if item.values is not None)
    table = labels.table.astype(np.uint8)  # -1, which no checked file has, becomes 255
    if len(images) == len(values) == len(items):
        read = Held(images, tuple(table[value] for value in values), files)
    else:
        read = _Files(tuple(item.pair for item in items), tuple(item.size for item in items), table, size)
    return Split(
        name=name,
        classes=labels.classes,
        files=files,
        sizes=np.array([item.size for item in items], dtype=np.int64),
        pixels=_pixels(items, labels),
        read=read,
        images=tuple(item.pair.image for item in items),
        annotations=tuple(item.pair.annotation for item in items),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Files:
    """Reads samples from files, each time anew."""

    pairs: tuple[Pair, ...]
    sizes: tuple[tuple[int, int], ...]
    table: NDArray[np.uint8]
    size: int | None

    def __call__(self, index: int) -> Sample:
        pair = self.pairs[index]
        file = pair.image
        try:
            image = read_picture(file, self.size)
            file = pair.annotation
            values = reduce_values(read_values(file).astype(np.uint8), self.size)
        except Unusable as error:
            raise UserError(f"{file}: {error}; replace it, or pass --skip-bad to have all files checked first") from None
        for file, shape in ((pair.image, image.shape[:2]), (pair.annotation, values.shape)):
            if shape != self.sizes[index]:
                raise UserError(f"{file} changed in size since the data set was checked: start again")
        import torch

        labels = torch.from_numpy(self.table[values])
        return Sample(image=torch.from_numpy(image).permute(2, 0, 1), labels=labels, file=pair.file)
