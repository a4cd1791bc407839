"""A folder in COCO layout, checked as a whole before the first step is trained on it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from common.data.problems import Problems
from common.errors import UserError
from detection.data.annotations import read_annotations
from detection.data.images import damage, damages
from detection.data.samples import Data, Sample, Split

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
    one canvas for all splits. Without a test file, the validation split serves as the test split, and the notes say so. Crowd
    and ignored boxes are not trained on and not scored.

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
    problems = Problems()
    cocos, notes = _read_splits(path, problems)
    _check_categories(cocos, problems)
    _check_leaks(path / "images", cocos, problems)
    checked = False
    if not problems.fatal:
        checked = skip_bad or sum(len(coco["images"]) for coco in cocos.values()) <= _CHECK_ALL
        cocos = _check_images(path / "images", cocos, problems, decode=checked)
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
    canvas = _canvas(size, cocos)
    splits = {name: _split(name, coco, path / "images", canvas, checked) for name, coco in cocos.items()}
    return Data(
        name=str(path),
        train=splits["train"],
        val=splits["val"],
        test=splits.get("test") or splits["val"].renamed("test"),
        skipped=tuple(problems.skippable),
        notes=tuple(notes),
    )


def _read_splits(path: Path, problems: Problems) -> tuple[dict[str, _Coco], list[str]]:
    if not path.is_dir():
        raise UserError(f"{path} is not a folder: give one with annotations/instances_{{train,val,test}}.json and images/")
    for name in ("annotations", "images"):
        if not (path / name).is_dir():
            raise UserError(f"{path} has no folder {name}/: COCO layout is annotations/instances_*.json and images/")
    names, notes = ["train", "val"], []
    if (path / "annotations" / "instances_test.json").exists():
        names.append("test")
    else:
        notes.append(
            "no instances_test.json: the validation split also serves as the test split, so the test figures are of "
            "pictures the search has seen"
        )
    return {name: read_annotations(path / "annotations" / f"instances_{name}.json", problems) for name in names}, notes


def _check_categories(cocos: Mapping[str, _Coco], problems: Problems) -> None:
    names = {split: {entry["id"]: entry["name"] for entry in coco["categories"]} for split, coco in cocos.items()}
    for split, own in names.items():
        if own != names["train"]:
            differing = sorted(key for key in own.keys() | names["train"].keys() if own.get(key) != names["train"].get(key))
            problems.fatal.append(f"instances_{split}.json has other categories than instances_train.json (ids {differing[:5]})")


def _check_leaks(folder: Path, cocos: Mapping[str, _Coco], problems: Problems) -> None:
    owner: dict[str, str] = {}
    for split, coco in cocos.items():
        for image in coco["images"]:
            first = owner.setdefault(str(_find(folder, split, image["file_name"])), split)
            if first != split:
                problems.fatal.append(f"image {image['file_name']} is in both {first} and {split}: splits must be disjoint")


def _find(folder: Path, split: str, file_name: str) -> Path:
    """Where an image lies: in the folder, or in the split's folder within."""
    inside = folder / split / file_name
    return inside if not (folder / file_name).is_file() and inside.is_file() else folder / file_name


def _check_images(folder: Path, cocos: Mapping[str, _Coco], problems: Problems, *, decode: bool) -> dict[str, _Coco]:
    """The splits without the images whose file is missing, damaged or of another size than stated."""
    good = {}
    for split, coco in cocos.items():
        files = [_find(folder, split, image["file_name"]) for image in coco["images"]]
        if decode:
            found = damages(files)
        else:
            found = [("" if file.is_file() else "missing", None) for file in files]
        images = []
        for image, (reason, size) in zip(coco["images"], found, strict=True):
            stated = (image["width"], image["height"])
            if reason:
                problems.skippable.append(f"image {image['file_name']} of {split}: {reason}")
            elif size and size != stated:
                problems.fatal.append(
                    f"image {image['file_name']} is {size[0]}x{size[1]}, yet instances_{split}.json says "
                    f"{stated[0]}x{stated[1]} (width x height)"
                )
            else:
                images.append(image)
        good[split] = _keep_images(coco, images)
    return good


def _keep_images(coco: _Coco, images: list[dict[str, Any]]) -> _Coco:
    ids = {image["id"] for image in images}
    annotations = [note for note in coco["annotations"] if note["image_id"] in ids]
    return {**coco, "images": images, "annotations": annotations}


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
            reason, size = damage(entry.file)
            if reason or size != (entry.size[1], entry.size[0]):
                why = reason or f"{size} pixels wide and high, other than its annotations say"
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


def _split(name: str, coco: _Coco, folder: Path, canvas: tuple[int, int], checked: bool) -> Split:
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
            file=_find(folder, name, image["file_name"]),
            size=(image["height"], image["width"]),
            boxes=np.array(boxes[image["id"]], dtype=np.float32).reshape(-1, 4),
            labels=np.array(labels[image["id"]], dtype=np.int64),
        )
        for image in coco["images"]
    )
    keep = len(entries) * 3 * canvas[0] * canvas[1] <= _KEEP_BYTES
    files = tuple(entry.file for entry in entries)
    return Split(name, coco, canvas=canvas, read=_Files(entries, canvas, checked), keep=keep, files=files)
