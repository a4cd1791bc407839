"""The data set that needs no download: real handwritten digits on real photographs, with the class of every pixel."""

from __future__ import annotations

import numpy as np

from common.data.digits import NAMES, SplitName
from common.data.scenes import NOTE, SceneRules, scenes
from segmentation.data.labels import colours
from segmentation.data.samples import Held, SegmentationData, Split

_NOTE = f"{NOTE}; a pixel is a digit's where its ink is at least half opaque"


def embedded(
    seed: int = 0,
    *,
    classes: int = 5,
    size: int = 64,
    train: int = 1024,
    val: int = 256,
    test: int = 256,
    digits_per_scene: tuple[int, int] = (1, 2),
    digit_px: tuple[int, int] = (20, 32),
) -> SegmentationData:
    """Make the scenes; scene i of a split is a function of (seed, split, i, rules), whatever the split's length.

    Class 0 is the background, class k + 1 the digit k. A pixel belongs to a digit where the ink painted on it is at least
    half opaque (opacity 0.5 of 1), to the background elsewhere; no pixel is ignored.

    Args:
        seed: of the scenes; which digits belong to which split never changes.
        classes: digits 0 to classes - 1 appear, 1 to 10; the background is one class more.
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
    wanted: tuple[tuple[SplitName, int], ...] = (("train", train), ("val", val), ("test", test))
    made = {name: _split(name, count, seed, rules) for name, count in wanted}
    absent = [f"class {name!r} is in no {split.name} scene" for split in made.values() for name in split.absent]
    return SegmentationData(
        name="embedded",
        train=made["train"],
        val=made["val"],
        test=made["test"],
        palette=colours(classes + 1),
        flip=False,
        notes=(_NOTE, *absent),
    )


def _split(name: SplitName, count: int, seed: int, rules: SceneRules) -> Split:
    made = scenes(name, count, seed, rules)
    labels = tuple(scene.class_map() for scene in made)
    files = tuple(f"{name}/{index:06d}.png" for index in range(count))
    names = ("background", *NAMES[: rules.classes])
    return Split(
        name=name,
        classes=names,
        files=files,
        sizes=np.full((count, 2), rules.size, dtype=np.int64),
        pixels=np.stack([np.bincount(label.ravel(), minlength=len(names)) for label in labels]).astype(np.int64),
        read=Held(tuple(scene.image for scene in made), labels, files),
    )
