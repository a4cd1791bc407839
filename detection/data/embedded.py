"""The data set that needs no download: real handwritten digits on real photographs, with COCO annotations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.data.digits import NAMES, SplitName
from common.data.scenes import NOTE, Scene, SceneRules, scenes
from detection.data.samples import Data, Sample, Split


def embedded(
    seed: int = 0,
    *,
    classes: int = 5,
    size: int = 64,
    train: int = 1024,
    val: int = 512,
    test: int = 512,
    digits_per_scene: tuple[int, int] = (1, 2),
    digit_px: tuple[int, int] = (20, 32),
) -> Data:
    """Make the scenes; scene i of a split is a function of (seed, split, i, rules), whatever the split's length.

    Args:
        seed: of the scenes; which digits belong to which split never changes.
        classes: digits 0 to classes - 1 appear, 1 to 10.
        size: side of a scene in pixels, a multiple of 32.
        train: scenes of this split, at least 1.
        val: scenes of this split, at least 1.
        test: scenes of this split, at least 1.
        digits_per_scene: lowest and highest number of digits; one that finds no free place is left out.
        digit_px: lowest and highest side of the square a digit is drawn in, in pixels.

    Raises:
        UserError: rules no scene can follow, or an empty split.
    """
    rules = SceneRules(size=size, classes=classes, digits_per_scene=digits_per_scene, digit_px=digit_px)
    return Data(
        name="embedded",
        train=_split("train", train, seed, rules),
        val=_split("val", val, seed, rules),
        test=_split("test", test, seed, rules),
        notes=(NOTE,),
    )


@dataclass(frozen=True, slots=True)
class _Held:
    """Reads samples out of memory."""

    name: str
    images: NDArray[np.uint8]
    boxes: list[NDArray[np.float32]]
    labels: list[NDArray[np.int64]]

    def __call__(self, index: int) -> Sample:
        import torch

        height, width = self.images.shape[-2:]
        return Sample(
            image=torch.from_numpy(self.images[index]),
            boxes=torch.from_numpy(self.boxes[index]),
            labels=torch.from_numpy(self.labels[index]),
            image_id=index + 1,
            file=_file(self.name, index),
            original=(height, width),
        )


def _split(name: SplitName, count: int, seed: int, rules: SceneRules) -> Split:
    made = scenes(name, count, seed, rules)
    held = _Held(
        name=name,
        images=np.ascontiguousarray(np.stack([scene.image for scene in made]).transpose(0, 3, 1, 2)),
        boxes=[scene.boxes for scene in made],
        labels=[scene.labels for scene in made],
    )
    coco = _coco(name, made, rules)
    return Split(name, coco, canvas=(rules.size, rules.size), read=held, keep=False)


def _file(name: str, index: int) -> str:
    return f"{name}/{index:06d}.png"


def _coco(name: str, made: list[Scene], rules: SceneRules) -> dict[str, Any]:
    images, annotations = [], []
    for index, scene in enumerate(made):
        images.append({"id": index + 1, "file_name": _file(name, index), "width": rules.size, "height": rules.size})
        for box, label in zip(scene.boxes.tolist(), scene.labels.tolist(), strict=True):
            x, y, w, h = box[0], box[1], box[2] - box[0], box[3] - box[1]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": index + 1,
                    "category_id": label + 1,
                    "bbox": [x, y, w, h],
                    "area": w * h,
                    "iscrowd": 0,
                }
            )
    categories = [{"id": label + 1, "name": NAMES[label]} for label in range(rules.classes)]
    return {"info": {}, "images": images, "annotations": annotations, "categories": categories}
