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

if TYPE_CHECKING:
    from collections.abc import Mapping

    from segmentation.data.samples import SegmentationData

_LAYOUTS = (
    "train/, trainannot/, val/, valannot/ and classes.txt; or Cityscapes' leftImg8bit/ and gtFine/; "
    "or VOC's JPEGImages/, SegmentationClass/ and ImageSets/Segmentation/"
)


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
    if not path.is_dir():
        raise UserError(f"{path} is not a folder: give one with {_LAYOUTS}")
    problems = Problems()
    if (path / "leftImg8bit").is_dir():
        layout = cityscapes(path, problems)
    elif (path / "JPEGImages").is_dir():
        layout = voc(path, problems)
    elif (path / "train").is_dir():
        layout = split_folders(path, problems)
    else:
        raise UserError(f"{path} has no known layout: give a folder with {_LAYOUTS}")
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
    names, notes = ["train", "val"], ()
    if (root / "test").is_dir() or (root / "testannot").is_dir():
        names.append("test")
    else:
        notes = (f"no folder test/: {VAL_IS_TEST}",)
    for name in names:
        for part in (name, f"{name}annot"):
            if not (root / part).is_dir():
                raise UserError(f"{root} has no folder {part}/: each split has its pictures in NAME/, annotations in NAMEannot/")
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
