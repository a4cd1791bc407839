"""COCO annotation files read and checked: every broken rule is found and told, not only the first."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeGuard

from common.data.names import broken_name
from common.data.problems import Problems
from common.errors import UserError, cut, shown
from common.json_text import NotJson, parse_foreign

if TYPE_CHECKING:
    from pathlib import Path

_SLACK = 1.0  # pixels a box may reach over the border (files in use round so); it is clipped
_LARGEST = 1_000_000  # pixels on a side
_KEYS = {
    "images": {"id": int, "file_name": str, "width": int, "height": int},
    "annotations": {"id": int, "image_id": int, "category_id": int, "bbox": list},
    "categories": {"id": int, "name": str},
}


def read_annotations(file: Path, problems: Problems, notes: list[str]) -> tuple[dict[str, Any], set[int]]:
    """The COCO dict of `file`, and the ids of the categories that its annotations name, those of broken ones included.

    Bad entries are taken out, boxes are clipped, `area` and `iscrowd` are present.

    Categories come in the order of their ids. Boxes marked `ignore` become crowd boxes, which pycocotools ignores. A box that is
    missing is the one around the annotation's polygons.

    Args:
        file: COCO json.
        problems: what was found is added here.
        notes: what a reader must know is added here.

    Raises:
        UserError: the file is missing, empty or not COCO json at all.
    """
    data = _load(file)
    where = file.name
    boxed = sum(_box_from_polygons(entry) for entry in data["annotations"] if isinstance(entry, dict))
    if boxed:
        notes.append(f"{boxed:,} annotations of {where} have no bbox: their boxes are those around their polygons")
    entries = {key: _well_formed(data[key], key, where, problems) for key in _KEYS}
    for key, kind in (("images", "image"), ("annotations", "annotation"), ("categories", "category")):
        _unique(entries[key], "id", f"{kind} id", where, problems)
    _unique(entries["images"], "file_name", "image file_name", where, problems)
    images = {image["id"]: image for image in entries["images"]}
    categories = {category["id"] for category in entries["categories"]}
    kept = []
    for note in entries["annotations"]:
        name = f"{where}: annotation {shown(note['id'])}"
        if note["category_id"] not in categories:
            problems.fatal.append(f"{name} has category_id {shown(note['category_id'])}, which `categories` lacks")
        if note["image_id"] not in images:
            problems.fatal.append(f"{name} has image_id {shown(note['image_id'])}, which `images` lacks")
            continue
        image = images[note["image_id"]]
        broken = _broken_box(note["bbox"], image)
        if broken:
            problems.skippable.append(f"{name} ({cut(image['file_name'])}): bbox {shown(note['bbox'])} {broken}")
        elif note["category_id"] in categories:
            kept.append(_normal(note, image))
    coco = {
        "info": data.get("info", {}),
        "images": entries["images"],
        "annotations": kept,
        "categories": sorted(entries["categories"], key=lambda category: category["id"]),
    }
    return coco, {note["category_id"] for note in entries["annotations"]}


def _load(file: Path) -> dict[str, Any]:
    if not file.is_file():
        raise UserError(f"{file} is missing: a COCO folder has annotations/instances_{{train,val,test}}.json and images/")
    text = file.read_bytes()
    if not text.strip():
        raise UserError(f"{file} is empty (COCO json expected): write or copy it again")
    try:
        data = parse_foreign(text)
    except NotJson as error:
        raise UserError(f"{file} is not JSON ({error}), cut off or damaged: copy it again") from error
    if not isinstance(data, dict):
        raise UserError(f"{file} holds a JSON {type(data).__name__}, not an object: export the annotations as COCO json")
    missing = [key for key in _KEYS if not isinstance(data.get(key), list)]
    if missing:
        raise UserError(f"{file} lacks the list(s) {', '.join(missing)}: export the annotations as COCO json")
    return data


def _well_formed(entries: list[Any], key: str, where: str, problems: Problems) -> list[dict[str, Any]]:
    good = []
    for position, entry in enumerate(entries):
        name = f"{where}: {key}[{position}]"
        if not isinstance(entry, dict):
            problems.fatal.append(f"{name} is not an object")
            continue
        faults = []
        for field_name, kind in _KEYS[key].items():
            value = entry.get(field_name)
            if field_name not in entry:
                faults.append(f"{name} lacks {field_name!r}" + (" and polygons to take it from" if field_name == "bbox" else ""))
            elif not isinstance(value, kind) or isinstance(value, bool):
                faults.append(f"{name} has {field_name}={shown(value)}, not {kind.__name__}")
            elif field_name in ("width", "height") and not 1 <= int(entry[field_name]) <= _LARGEST:
                faults.append(f"{name} has {field_name}={shown(value)}, not 1 to {_LARGEST:,}")
            elif field_name == "file_name" and (fault := broken_name(entry[field_name])):
                faults.append(f"{name} has file_name {shown(value)}, which {fault}")
        if key == "annotations":
            faults.extend(f"{name} has {fault}" for fault in _broken_marks(entry))
        problems.fatal.extend(faults)
        if not faults:
            good.append(entry)
    return good


def _unique(entries: list[dict[str, Any]], key: str, name: str, where: str, problems: Problems) -> None:
    seen = set()
    for entry in entries:
        if entry[key] in seen:
            problems.fatal.append(f"{where}: {name} {shown(entry[key])} occurs twice")
        seen.add(entry[key])


def _box_from_polygons(entry: dict[str, Any]) -> bool:
    """Gives an annotation without a box the one around its polygons; whether it did."""
    polygons = entry.get("segmentation")
    if entry.get("bbox") or not isinstance(polygons, list) or not polygons:
        return False
    if not all(isinstance(polygon, list) and len(polygon) >= 6 and all(map(_number, polygon)) for polygon in polygons):
        return False
    x = [value for polygon in polygons for value in polygon[0::2]]
    y = [value for polygon in polygons for value in polygon[1::2]]
    entry["bbox"] = [min(x), min(y), max(x) - min(x), max(y) - min(y)]
    return True


def _broken_marks(entry: dict[str, Any]) -> list[str]:
    """What is wrong with the marks that an annotation may have besides its box."""
    faults = [f"{key}={entry[key]!r}, not 0 or 1" for key in ("iscrowd", "ignore") if entry.get(key) not in (None, 0, 1)]
    area = entry.get("area")
    if area is not None and not (_number(area) and _finite(area) and area >= 0):
        faults.append(f"area={area!r}, not a number of pixels")
    return faults


def _finite(value: float) -> bool:
    """Whether a number is finite as a float."""
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond floats
        return False


def _number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _broken_box(box: list[Any], image: dict[str, Any]) -> str:
    """What is wrong with a COCO box (x, y, width, height) in an image, or an empty string."""
    if len(box) != 4 or not all(_number(value) for value in box):
        return "is not four numbers x, y, width, height"
    x, y, w, h = box
    if not all(_finite(value) for value in box):
        return "is not finite"
    if w <= 0 or h <= 0:
        return "has no area"
    if x < -_SLACK or y < -_SLACK or x + w > image["width"] + _SLACK or y + h > image["height"] + _SLACK:
        return f"lies outside the {image['width']}x{image['height']} image"
    if min(x + w, image["width"]) <= max(x, 0) or min(y + h, image["height"]) <= max(y, 0):
        return "has no area inside the image"
    return ""


def _normal(note: dict[str, Any], image: dict[str, Any]) -> dict[str, Any]:
    x, y, w, h = (float(value) for value in note["bbox"])
    x1, y1 = max(x, 0.0), max(y, 0.0)
    x2, y2 = min(x + w, float(image["width"])), min(y + h, float(image["height"]))
    crowd = int(bool(note.get("iscrowd", 0)) or bool(note.get("ignore", 0)))
    # Only a box that had to be clipped is written anew: (x + w) - x is not always w.
    clipped = (x1, y1, x2, y2) != (x, y, x + w, y + h)
    box = [x1, y1, x2 - x1, y2 - y1] if clipped else [x, y, w, h]
    area = note.get("area")
    return {**note, "bbox": box, "area": area if _number(area) else box[2] * box[3], "iscrowd": crowd}
