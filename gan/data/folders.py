"""`--data FOLDER`: a folder of pictures in one of the layouts of the field, as three splits of two domains."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from common.data.cache import Cache
from common.data.folder import left_out_notes
from common.data.problems import Problems
from common.data.shared import check_disjoint
from gan.data.check import Domains, Seen, inspected, repeated
from gan.data.holdout import three_splits
from gan.data.images import Images, InFiles, check_size
from gan.data.layouts import Layout, layout_of
from gan.data.translation import Split, TranslationData
from gan.layout import check_layout

Direction = Literal["AtoB", "BtoA"]


def folder(path: Path, *, size: int, val: int | None, direction: Direction, skip_bad: bool) -> TranslationData:
    """Read a data set, all of it decoded and checked before the first step is trained on it; nothing is written to it.

    Four layouts are known: CycleGAN's trainA/, trainB/, ... (unpaired); A/train/, B/train/, ...; train/X/, train/Y/, ... (X the
    first name in alphabetical order is A; both paired by name); and pix2pix's train/, ... with A left and B right in each file.

    Candidates are judged on `val`, which is held out of `train`: always the same pictures, whatever the run's seed. Only where
    both val and test pictures are there, val is used as it is. Where only val is there, it is the test split, as the field uses
    it; where neither is, the pictures held out are the test split as well. The notes say so.

    Args:
        path: the folder.
        size: side in pixels of what generators take, a multiple of 4, at least 16.
        val: pictures (pairs, or of each domain if unpaired) held out of train, at least 2; by default one tenth, at least 2 and
            at most 300.
        direction: "AtoB" makes A the inputs and B the targets, "BtoA" the other way round.
        skip_bad: leave out files that are damaged, tiny, without partner, the same as it, grey among coloured ones, or of
            unknown colours, and list them in `skipped`, instead of refusing the folder.

    Raises:
        UserError: the folder cannot be used; the message names the first few problems of all.
    """
    path = Path(path)
    check_size(size)
    check_layout(path)
    problems = Problems()
    layout = layout_of(path, problems)
    notes = [f"layout: {layout.title}; {_direction(layout, direction)}", *left_out_notes(layout.left_out)]
    files = {split: [picture.path for domain in domains for picture in domain] for split, domains in layout.splits.items()}
    check_disjoint(files, path, problems)  # copies are found by their pixels, below
    splits = inspected(layout, problems, notes)
    problems.report(path, skip=skip_bad)
    every = [item for domains in splits.values() for domain in domains for item in domain]
    small = sum(item.side < size for item in every)
    if small:
        notes.append(f"{small} of {len(every)} pictures have a side of less than {size} pixels: they are enlarged")
    splits, more = three_splits(path, layout, splits, val)
    notes.extend([*more, *repeated(splits, layout.paired)])
    cache: Cache[NDArray[np.uint8]] = Cache()
    made = {name: _split(name, domains, direction, cache) for name, domains in splits.items()}
    return TranslationData(
        name=str(path),
        paired=layout.paired,
        train=made["train"],
        val=made["val"],
        test=made["test"],
        notes=tuple(notes),
        skipped=tuple(problems.skippable),
    )


def _direction(layout: Layout, direction: Direction) -> str:
    a, b = layout.where["train"]
    inputs, targets = (a, b) if direction == "AtoB" else (b, a)
    return f"inputs are {inputs}, targets {targets} ({direction})"


def _split(name: str, domains: Domains, direction: Direction, cache: Cache[NDArray[np.uint8]]) -> Split:
    a, b = (_images(domain, cache) for domain in domains)
    return Split(name=name, inputs=a, targets=b) if direction == "AtoB" else Split(name=name, inputs=b, targets=a)


def _images(domain: tuple[Seen, ...], cache: Cache[NDArray[np.uint8]]) -> Images:
    pictures = tuple(item.picture for item in domain)
    return Images(
        files=tuple(picture.name for picture in pictures),
        read=InFiles(pictures, cache),
        paths=tuple(picture.path for picture in pictures),
    )
