"""A folder in COCO layout, checked as a whole before the first step is trained on it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from common.data.folder import hidden_in, in_hidden, inside, is_file, left_out_notes, walk
from common.data.pictures import VAL_IS_TEST, conversion_notes
from common.data.problems import Problems
from common.data.shared import check_disjoint, copies
from common.errors import UserError
from detection.data.annotations import read_annotations
from detection.data.categories import used_categories
from detection.data.causes import Failed, all_missing, all_of_wrong_size, find, missing, wrong_size
from detection.data.holdout import cut, kept
from detection.data.images import MISSING, Checked, all_checked, checked
from detection.data.samples import Data, Sample, Split
from detection.layout import SPLITS, annotation_file, check_layout

if TYPE_CHECKING:
    from collections.abc import Mapping

_STRIDE = 32  # the largest stride of the detectors
_LONGEST = 1333  # long side of the papers' COCO settings: larger pictures are reduced unless a size is asked for
_CHECK_ALL = 20_000  # images; larger folders are decoded only when read, unless damaged ones are to be skipped
_KEEP_BYTES = 1 << 30  # decoded pictures of one split that are kept in memory

_Coco = dict[str, Any]


def coco_folder(path: Path, size: int | tuple[int, int] | None = None, skip_bad: bool = False) -> Data:
    """Read `annotations/instances_{train,val,test}.json` and `images/`; figures come out in original pixels.

    An image's `file_name` is looked for in `images/`, then in `images/<split>/`. Pictures are scaled, keeping their ratio, onto
    one canvas for all splits. Without a validation file its images are cut from train, as those of the test split are where
    neither is there (see `detection.data.holdout`); without a test file alone, the validation split serves as the test split.
    The notes say so. Crowd and ignored boxes are not trained on and not scored. Boxes that are missing are taken from polygons.

    Args:
        path: the folder.
        size: long side of the canvas, rounded up to a multiple of 32; or its exact (height, width), multiples of 32;
            or None for the largest picture's long side, at most 1,333.
        skip_bad: leave damaged images, boxes without area or outside their image, and classes without a training box
            out, and list them in `skipped`, instead of refusing the folder.

    Raises:
        UserError: the folder cannot be used; the message names the first few problems of all.
    """
    path = Path(path)
    problems, notes = Problems(), []
    found = check_layout(path)
    notes += left_out_notes([*hidden_in(path, path), *walk(path / "images", path).left_out])
    read = {name: read_annotations(annotation_file(path, name), problems, notes) for name in found}
    used: set[int] = set().union(*(own for _, own in read.values()))
    categories = used_categories({name: coco for name, (coco, _) in read.items()}, used, problems, notes)
    cocos = {name: {**_data(path, name, coco, problems), "categories": categories} for name, (coco, _) in read.items()}
    files = {name: {entry["id"]: find(path, name, entry["file_name"]) for entry in own["images"]} for name, own in cocos.items()}
    _check_files(path, cocos, files, problems)
    checked = False
    if not problems.fatal:
        checked = skip_bad or sum(len(coco["images"]) for coco in cocos.values()) <= _CHECK_ALL
        cocos = _check_images(path, cocos, files, problems, notes, decode=checked)
    if not problems.fatal and "val" not in cocos:
        absent = [name for name in SPLITS[1:] if name not in cocos]
        files |= dict.fromkeys(absent, files["train"])
        cocos |= cut(str(path), cocos["train"], absent, notes)
    elif "test" not in cocos:
        notes.append(f"no instances_test.json: {VAL_IS_TEST}")
    if not problems.fatal:
        cocos = _check_classes(cocos, problems)
    problems.report(path, skip=skip_bad)
    for name, coco in cocos.items():
        if not coco["images"]:
            raise UserError(f"{path}: instances_{name}.json has no usable image: every split needs at least one")
    if not cocos["train"]["categories"]:
        raise UserError(f"{path}: no class has a box in instances_train.json: a detector needs at least one")
    for name, coco in cocos.items():
        if all(note["iscrowd"] for note in coco["annotations"]):
            raise UserError(
                f"{path}: instances_{name}.json has no box to find of a class that train has: "
                "detectors are scored on boxes; mark some, or move images over from train"
            )
    notes += copies({name: [files[name][image["id"]] for image in coco["images"]] for name, coco in cocos.items()}, path)
    canvas = _canvas(size, cocos)
    splits = {name: _split(name, coco, files[name], canvas, checked) for name, coco in cocos.items()}
    return Data(
        name=str(path),
        train=splits["train"],
        val=splits["val"],
        test=splits.get("test") or splits["val"].renamed("test"),
        skipped=tuple(problems.skippable),
        notes=tuple(notes),
    )


def _data(path: Path, split: str, coco: _Coco, problems: Problems) -> _Coco:
    """The content of a file without the images whose names lead out of the data folder or to hidden files."""
    images = []
    for image in coco["images"]:
        file = find(path, split, image["file_name"])
        if not inside(path, file):
            problems.fatal.append(
                f"image {image['file_name']} of {split} leads out of the data folder: move the file into images/ and name it so"
            )
        elif in_hidden(path, file):
            problems.skippable.append(f"image {image['file_name']} of {split}: hidden, and what is hidden is no data")
        else:
            images.append(image)
    return kept(coco, images)


def _check_files(path: Path, cocos: Mapping[str, _Coco], files: Mapping[str, dict[int, Path]], problems: Problems) -> None:
    """Adds files that are in two splits, or twice in one, whatever their names are."""
    check_disjoint({name: own.values() for name, own in files.items()}, path, problems)
    for split, coco in cocos.items():
        seen: dict[tuple[int, int], str] = {}
        for image in coco["images"]:
            file = files[split][image["id"]]
            if not is_file(file):
                continue
            stat = file.stat()
            first = seen.setdefault((stat.st_dev, stat.st_ino), image["file_name"])
            if first != image["file_name"]:
                problems.fatal.append(f"instances_{split}.json: images {first} and {image['file_name']} are the same file")


def _check_images(
    path: Path,
    cocos: Mapping[str, _Coco],
    files: Mapping[str, dict[int, Path]],
    problems: Problems,
    notes: list[str],
    *,
    decode: bool,
) -> dict[str, _Coco]:
    """The splits without the images whose file is missing, damaged or of another size than stated."""
    good, absent, wrong = {}, {}, {}
    for split, coco in cocos.items():
        own = [files[split][image["id"]] for image in coco["images"]]
        found = all_checked(own) if decode else [Checked(fault="" if is_file(file) else MISSING) for file in own]
        each = [Failed(split=split, image=image, seen=seen) for image, seen in zip(coco["images"], found, strict=True)]
        absent[split] = [one for one in each if one.seen.fault == MISSING]
        wrong[split] = [one for one in each if not one.seen.fault and one.seen.size not in (None, _stated(one.image))]
        problems.skippable.extend(
            f"image {one.image['file_name']} of {split}: {one.seen.fault}" for one in each if one.seen.fault not in ("", MISSING)
        )
        bad = {one.image["id"] for one in wrong[split]}
        good[split] = kept(coco, [one.image for one in each if not one.seen.fault and one.image["id"] not in bad])
        notes += conversion_notes(split, [seen.conversion for seen in found if not seen.fault])
    whole, some = _whole(absent, cocos)
    problems.skippable.extend(missing(path, some))
    problems.fatal.extend([all_missing(path, whole)] if whole else [])
    whole, some = _whole(wrong, cocos)
    problems.fatal.extend([*(all_of_wrong_size(whole) if whole else []), *(wrong_size(one) for one in some)])
    return good


def _whole(failed: Mapping[str, list[Failed]], cocos: Mapping[str, _Coco]) -> tuple[list[Failed], list[Failed]]:
    """Those of splits all of whose images failed, if these are two or more, and the others."""
    whole = [one for split, own in failed.items() if own and len(own) == len(cocos[split]["images"]) for one in own]
    whole = whole if len(whole) > 1 else []
    splits = {one.split for one in whole}
    return whole, [one for split, own in failed.items() if split not in splits for one in own]


def _stated(image: dict[str, Any]) -> tuple[int, int]:
    return image["width"], image["height"]


def _check_classes(cocos: Mapping[str, _Coco], problems: Problems) -> dict[str, _Coco]:
    """The splits without the classes that have no training box: no detector can learn those."""
    boxes = {
        split: Counter(note["category_id"] for note in coco["annotations"] if not note["iscrowd"])
        for split, coco in cocos.items()
    }
    known = set()
    for category in cocos["train"]["categories"]:
        if boxes["train"][category["id"]]:
            known.add(category["id"])
        else:
            others = sum(count[category["id"]] for count in boxes.values())
            problems.skippable.append(
                f"class {category['name']!r} (id {category['id']}) has no box in instances_train.json "
                f"({others} in the other splits)"
            )
    return {
        split: {
            **coco,
            "categories": [category for category in coco["categories"] if category["id"] in known],
            "annotations": [note for note in coco["annotations"] if note["category_id"] in known],
        }
        for split, coco in cocos.items()
    }


def _canvas(size: int | tuple[int, int] | None, cocos: Mapping[str, _Coco]) -> tuple[int, int]:
    """The smallest canvas of multiples of 32 that holds every picture scaled to the long side asked for."""
    if isinstance(size, tuple):
        if any(side < _STRIDE or side % _STRIDE for side in size):
            raise UserError(f"size={size}: height and width must be multiples of {_STRIDE}, the detectors' largest stride")
        return size
    shapes = {(image["height"], image["width"]) for coco in cocos.values() for image in coco["images"]}
    if size is None:
        size = min(_LONGEST, max(max(shape) for shape in shapes))
    elif size < _STRIDE:
        raise UserError(f"size={size}: pictures must be at least {_STRIDE} pixels long, the detectors' largest stride")
    longest = _up(size)
    height, width = (max(_up(longest * shape[axis] / max(shape)) for shape in shapes) for axis in (0, 1))
    return height, width


def _up(length: float) -> int:
    """The next multiple of 32, forgiving rounding errors."""
    return int(-(-round(length, 3) // _STRIDE)) * _STRIDE


@dataclass(frozen=True, slots=True)
class _Entry:
    """One picture's ground truth; boxes are xyxy in original pixels."""

    image_id: int
    file: Path
    size: tuple[int, int]
    boxes: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True, slots=True)
class _Files:
    """Reads samples from image files."""

    entries: tuple[_Entry, ...]
    canvas: tuple[int, int]
    checked: bool

    def __call__(self, index: int) -> Sample:
        import torch

        from detection.mm import read_resize_pad

        entry = self.entries[index]
        if not self.checked:
            found = checked(entry.file)
            if found.fault or found.size != (entry.size[1], entry.size[0]):
                why = found.fault or f"{found.size} pixels wide and high, other than its annotations say"
                raise UserError(f"{entry.file}: {why}; replace it, or pass --skip-bad to have all files checked first")
        pixels, boxes, scale = read_resize_pad(entry.file, entry.boxes, self.canvas)
        return Sample(
            image=torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1))),
            boxes=torch.from_numpy(np.asarray(boxes, dtype=np.float32).reshape(-1, 4)),
            labels=torch.from_numpy(entry.labels),
            image_id=entry.image_id,
            file=str(entry.file),
            scale=scale,
            original=entry.size,
        )


def _split(name: str, coco: _Coco, files: Mapping[int, Path], canvas: tuple[int, int], checked: bool) -> Split:
    label = {category["id"]: position for position, category in enumerate(coco["categories"])}
    boxes: dict[int, list[list[float]]] = {image["id"]: [] for image in coco["images"]}
    labels: dict[int, list[int]] = {image["id"]: [] for image in coco["images"]}
    for note in coco["annotations"]:
        if not note["iscrowd"]:
            x, y, w, h = note["bbox"]
            boxes[note["image_id"]].append([x, y, x + w, y + h])
            labels[note["image_id"]].append(label[note["category_id"]])
    entries = tuple(
        _Entry(
            image_id=image["id"],
            file=files[image["id"]],
            size=(image["height"], image["width"]),
            boxes=np.array(boxes[image["id"]], dtype=np.float32).reshape(-1, 4),
            labels=np.array(labels[image["id"]], dtype=np.int64),
        )
        for image in coco["images"]
    )
    keep = len(entries) * 3 * canvas[0] * canvas[1] <= _KEEP_BYTES
    read = tuple(entry.file for entry in entries)
    return Split(name, coco, canvas=canvas, read=_Files(entries, canvas, checked), keep=keep, files=read)
