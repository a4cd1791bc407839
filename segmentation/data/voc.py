"""The PASCAL VOC layout: JPEGImages/, SegmentationClass/ and lists of names in ImageSets/Segmentation/."""

from __future__ import annotations

from typing import TYPE_CHECKING

from common.data.folder import hidden_in, in_hidden, inside, is_file
from common.data.names import broken_name
from common.data.pictures import VAL_IS_TEST
from common.errors import UserError, shown
from segmentation.data.labels import colours, labels_of, read_classes
from segmentation.data.pairs import Layout, Pair

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from common.data.problems import Problems

CLASSES = (
    "background",
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
)
"""The classes of value 0 to 20 (M. Everingham et al., The PASCAL Visual Object Classes Challenge, IJCV 2010)."""
_LISTS = "ImageSets/Segmentation"
_RULE = "VOC's values are 0 to 20, and 255 for ignored pixels (name other classes in a classes.txt beside JPEGImages/)"


def voc(root: Path, problems: Problems) -> Layout:
    """The pairs JPEGImages/NAME.jpg and SegmentationClass/NAME.png of each NAME in ImageSets/Segmentation/SPLIT.txt.

    Annotations are palette pictures, whose indices count, not their colours; 255 (outlines) is ignored. A classes.txt beside
    JPEGImages/ replaces VOC's own 21 classes. A test.txt none of whose names is annotated, as in the public VOC 2012, is as
    good as none: the validation split then serves as test split. The files of no list are not looked at.

    Args:
        root: the folder that has JPEGImages/.
        problems: missing files, and names that occur twice, are added here.

    Raises:
        UserError: a list or the classes file cannot be used.
    """
    names = {split: _names(root, split) for split in ("train", "val")}
    notes: tuple[str, ...] = ()
    test = _names(root, "test") if (root / _LISTS / "test.txt").is_file() else ()
    if any(is_file(_pair(root, name).annotation) for name in test):
        names["test"] = test
    else:
        reason = "no name of test.txt is annotated" if test else f"no {_LISTS}/test.txt"
        notes = (f"{reason}: {VAL_IS_TEST}",)
    _check_lists(names, problems)
    own = root / "classes.txt"
    if own.exists():
        labels, void = read_classes(own)
        notes += (f"pixels of {' and '.join(void)} are ignored",) if void else ()
    else:
        labels = labels_of({name: value for value, name in enumerate(CLASSES)}, (), colours(len(CLASSES)), _RULE)
    return Layout(
        labels=labels,
        splits={split: _split(root, split, listed, problems) for split, listed in names.items()},
        where={split: f"{_LISTS}/{split}.txt" for split in names},
        notes=notes,
        left_out=tuple(hidden_in(root, root)),
    )


def _pair(root: Path, name: str) -> Pair:
    return Pair(image=root / "JPEGImages" / f"{name}.jpg", annotation=root / "SegmentationClass" / f"{name}.png", root=root)


def _split(root: Path, split: str, names: tuple[str, ...], problems: Problems) -> tuple[Pair, ...]:
    good = []
    for name in dict.fromkeys(names):
        pair = _pair(root, name)
        if not inside(root, pair.image) or not inside(root, pair.annotation):
            problems.fatal.append(
                f"{shown(name)} in {_LISTS}/{split}.txt leads out of the data folder: list names of JPEGImages/ alone"
            )
            continue
        if in_hidden(root, pair.image):
            problems.skippable.append(f"{shown(name)} in {_LISTS}/{split}.txt is hidden, and hidden files are no data")
            continue
        missing = [file for file, path in ((pair.file, pair.image), (pair.annotation_file, pair.annotation)) if not is_file(path)]
        if missing:
            problems.skippable.append(f"{shown(name)} in {_LISTS}/{split}.txt has no {' and no '.join(missing)}")
        else:
            good.append(pair)
    return tuple(good)


def _names(root: Path, split: str) -> tuple[str, ...]:
    file = root / _LISTS / f"{split}.txt"
    if not file.is_file():
        raise UserError(f"{file} is missing: VOC layout lists the names of its pictures in {_LISTS}/{{train,val}}.txt")
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{file} is not a UTF-8 text ({error.reason}): write one name of a picture per line") from None
    names = tuple(line.split()[0] for line in text.splitlines() if line.strip())
    for name in names:
        if fault := broken_name(name):
            raise UserError(f"{file}: name {shown(name)} {fault}: write names of pictures in JPEGImages/, without their ending")
    return names


def _check_lists(names: Mapping[str, tuple[str, ...]], problems: Problems) -> None:
    owner: dict[str, str] = {}
    for split, listed in names.items():
        for name in listed:
            first = owner.setdefault(name, split)
            if first != split:
                problems.fatal.append(
                    f"{shown(name)} is in both {first}.txt and {split}.txt of {_LISTS}/: splits must be disjoint"
                )
        if len(set(listed)) < len(listed):
            twice = next(name for name in listed if listed.count(name) > 1)
            problems.fatal.append(f"{shown(twice)} stands more than once in {_LISTS}/{split}.txt: list each picture once")
