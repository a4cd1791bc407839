"""`--data FOLDER`: a folder of high-resolution pictures in one of the layouts of the field, as three splits."""

from __future__ import annotations

from pathlib import Path

from common.data.cache import CACHE_BYTES, Cache
from common.data.folder import left_out_notes
from common.data.problems import Problems
from common.data.shared import check_disjoint
from superres.data.check import Found, Rules, inspected, notes_on, repeated
from superres.data.files import Pair
from superres.data.holdout import three_splits
from superres.data.layouts import layout_of
from superres.data.splits import InFiles, Split, SuperResData
from superres.layout import listed


def folder(path: Path, *, scale: int, patch: int, val: int | None, skip_bad: bool) -> SuperResData:
    """Read a data set, all of it decoded and checked before the first step is trained on it; nothing is written to it.

    Two layouts are known. Sub-folders have the names of the field's sets: T91/, General100/, BSDS200/, DIV2K_train_HR/ and train/
    are trained on, DIV2K_valid_HR/, val/ and valid/ are the validation set, and Set5/, Set14/, B100/, Urban100/, Manga109/ and
    test/ the test set; names may be written in any case. Otherwise pictures lie right in the folder. `three_splits` says what
    happens where a set is missing. Folders of low-resolution pictures (DIV2K_train_LR_bicubic/) are left out: low-resolution
    pictures are made here, see `superres.data.files.pair_of`.

    Args:
        path: the folder.
        scale: how many times higher and wider the high-resolution pictures are.
        patch: side of a training patch, in pixels; training pictures, and all of a plain folder, have at least this many a side.
        val: pictures of the validation split; see `three_splits`.
        skip_bad: leave out files that are damaged, too small, or of unknown colours, and list them in `skipped`, instead of
            refusing the folder.

    Raises:
        UserError: the folder cannot be used; the message names the first few problems of all.
    """
    path = Path(path)
    problems = Problems()
    layout = layout_of(path)
    check_disjoint({split: [item.path for item in items] for split, items in layout.splits.items()}, path, problems)
    rules = Rules(scale=scale, patch=patch)
    cache: Cache[Pair] = Cache(CACHE_BYTES)
    found = inspected(layout, rules, cache, problems)
    problems.report(path, skip=skip_bad)
    splits, more = three_splits(path, layout, found, val)
    low = [f"{listed(layout.low)} left out: low-resolution pictures are made here, of scale {scale}"] if layout.low else []
    notes = [f"layout: {layout.title()}", *left_out_notes(layout.left_out), *low, *notes_on(layout, found, rules, cache.limit)]
    made = {name: _split(name, items, scale, cache) for name, items in splits.items()}
    return SuperResData(
        name=str(path),
        scale=scale,
        train=made["train"],
        val=made["val"],
        test=made["test"],
        notes=(*notes, *more, *repeated(splits)),
        skipped=tuple(problems.skippable),
    )


def _split(name: str, items: Found, scale: int, cache: Cache[Pair]) -> Split:
    pictures = tuple(item.picture for item in items)
    return Split(
        name=name,
        scale=scale,
        files=tuple(picture.file for picture in pictures),
        groups=tuple(picture.group for picture in pictures),
        read=InFiles(pictures, scale, cache),
        paths=tuple(picture.path for picture in pictures),
    )
