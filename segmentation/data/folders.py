"""`--data FOLDER`: which layout a folder has, and the plain one of picture and annotation folders per split."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from common.data.folder import Walk, hidden_in, walk
from common.data.pictures import VAL_IS_TEST
from common.data.problems import Problems
from common.errors import UserError
from segmentation.data.check import checked
from segmentation.data.cityscapes import cityscapes
from segmentation.data.labels import read_classes
from segmentation.data.pairs import Layout, Pair, matched
from segmentation.data.voc import voc
from segmentation.layout import check_layout, splits_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from segmentation.data.samples import SegmentationData


def folder(path: Path, size: int | None = None, skip_bad: bool = False) -> SegmentationData:
    """Read a data set, all of it checked before the first step is trained on it.

    Three layouts are known by their folders: Cityscapes (`leftImg8bit/`), PASCAL VOC (`JPEGImages/`), and split folders
    (`train/`, `trainannot/`, ...). Without annotated test pictures the validation split serves as the test split, and the
    notes say so. A class no training pixel has cannot be learnt: the folder is refused, or, with `skip_bad`, the class is
    left out and its pixels are ignored everywhere. A class that only val or test lacks is named in the notes.

    Every annotation is decoded; pictures are as well, and kept in memory, unless a split takes more than 1 GiB: those are
    decoded when read (with `skip_bad` also before).

    Args:
        path: the folder.
        size: pictures with a longer side than this many pixels are reduced to it, with their annotations, for training and
            for scoring; at least 32; or None to leave every picture as it is.
        skip_bad: leave out pictures and annotations that are damaged, lack their partner or differ from it in size, and
            classes without a training pixel, and list them in `skipped`, instead of refusing the folder.

    Raises:
        UserError: the folder cannot be used; the message names the first few problems of all.
    """
    path = Path(path)
    if size is not None and size < 32:
        raise UserError(f"size={size}: pictures must be at least 32 pixels long, the networks' largest stride")
    problems = Problems()
    readers = {"Cityscapes": cityscapes, "VOC": voc, "split folders": split_folders}
    layout = readers[check_layout(path)](path, problems)
    return checked(path, layout, problems, size=size, skip_bad=skip_bad)


def split_folders(root: Path, problems: Problems) -> Layout:
    """Pictures SPLIT/NAME.jpg (or another format) and annotations SPLITannot/NAME.png, SPLIT one of train, val, test.

    Line i of classes.txt, counted from 0, names the class of value i; void, unlabelled, unlabeled, ignore or ignored, in any
    case, says that pixels of that value are ignored. 255 is always ignored.

    Args:
        root: the folder.
        problems: files without their partner are added here.

    Raises:
        UserError: the classes file or a split's folder cannot be used.
    """
    names = splits_of(root)
    notes = () if "test" in names else (f"no folder test/: {VAL_IS_TEST}",)
    labels, void = read_classes(root / "classes.txt")
    if void:
        notes = (*notes, f"pixels of {' and '.join(void)} are ignored")
    walks = {part: walk(root / part, root, deep=False) for name in names for part in (name, f"{name}annot")}
    return Layout(
        labels=labels,
        splits={name: _split(root, name, walks, problems) for name in names},
        where={name: f"{name}/ with {name}annot/" for name in names},
        notes=notes,
        left_out=(*hidden_in(root, root), *(entry for found in walks.values() for entry in found.left_out)),
    )


def _split(root: Path, name: str, walks: Mapping[str, Walk], problems: Problems) -> tuple[Pair, ...]:
    images: dict[str, Path] = {}
    for file in walks[name].pictures:
        if file.stem in images:
            problems.fatal.append(
                f"{name}/{images[file.stem].name} and {name}/{file.name} share one annotation: rename one of them"
            )
        images[file.stem] = file
    annotations = {}
    for file in walks[f"{name}annot"].pictures:
        if file.suffix.lower() == ".png":
            annotations[file.stem] = file
        else:
            problems.fatal.append(f"annotation {name}annot/{file.name} is not a PNG file: others may change values; convert it")
    expected = {stem: root / f"{name}annot" / f"{stem}.png" for stem in images} | {
        stem: root / name / f"{stem}.jpg" for stem in annotations if stem not in images
    }
    return matched(root, images, annotations, expected, problems)
