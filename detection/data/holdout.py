"""Splits that a COCO folder lacks, cut from its training images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from common.errors import UserError
from common.streams import numpy_stream

_SHARE = 0.2  # of train goes to a split that is missing
_MOST = 5_000  # images of a split cut from train: COCO's usual validation split
_SEED = 0  # not the run's, so that runs share their test images


def cut(root: str, coco: dict[str, Any], missing: Sequence[str], notes: list[str]) -> dict[str, dict[str, Any]]:
    """Train without the images that serve as the missing splits, and these splits.

    Each takes a fifth of the images with boxes and of those without, at least one with boxes and at most 5,000 in all. The last
    image of a class stays in train.

    Args:
        root: the data set, to name it.
        coco: the content of the training file, checked.
        missing: "val", "test", or both.
        notes: what was cut is added here.

    Raises:
        UserError: there are too few images.
    """
    images = coco["images"]
    classes: dict[int, set[int]] = {image["id"]: set() for image in images}
    for note in coco["annotations"]:
        if not note["iscrowd"]:
            classes[note["image_id"]].add(note["category_id"])
    left = Counter(label for own in classes.values() for label in own)
    taken: dict[str, set[int]] = {split: set() for split in missing}
    for split, own in taken.items():
        order = numpy_stream(_SEED, "split", split).permutation(len(images)).tolist()
        for boxed in (True, False):
            group = [image["id"] for image in images if bool(classes[image["id"]]) == boxed]
            share = min(max(round(_SHARE * len(group)), int(boxed)), round(_MOST * len(group) / len(images)) or 1)
            _take(own, share, [images[i]["id"] for i in order], set(group) - set().union(*taken.values()), classes, left)
        if not any(classes[image] for image in own):
            raise UserError(
                f"{root} has no instances_{split}.json, and instances_train.json too few images with boxes to cut {split} from: "
                "every class keeps one for training; add images, or the file"
            )
        notes.append(
            f"there is no instances_{split}.json: {len(own):,} of the {len(images):,} training images serve as {split}, drawn "
            f"with split seed {_SEED}"
        )
    every = set().union(*taken.values())
    parts = {"train": [image for image in images if image["id"] not in every]}
    parts |= {split: [image for image in images if image["id"] in own] for split, own in taken.items()}
    return {split: kept(coco, chosen) for split, chosen in parts.items()}


def kept(coco: dict[str, Any], images: list[dict[str, Any]]) -> dict[str, Any]:
    """The content of a file for some of its images."""
    ids = {image["id"] for image in images}
    return {**coco, "images": images, "annotations": [note for note in coco["annotations"] if note["image_id"] in ids]}


def _take(
    own: set[int], share: int, order: Sequence[int], free: set[int], classes: dict[int, set[int]], left: Counter[int]
) -> None:
    """Moves up to `share` images of `free` to `own`, none of which has the last box of a class."""
    for image in order:
        if share and image in free and all(left[label] > 1 for label in classes[image]):
            own.add(image)
            left.subtract(classes[image])
            share -= 1
