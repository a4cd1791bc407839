"""From splits to batches: a training batch is a pure function of (seed, name, step), so a resumed run sees the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor
from torchvision.transforms.v2 import functional as transforms

from common.data.order import positions_at
from common.errors import UserError
from common.streams import stream
from detection.data.background import Square
from detection.data.samples import Sample, Split

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Samples side by side.

    Attributes:
        images: RGB.
        boxes: xyxy in canvas pixels, float32, one (k, 4) tensor per image.
        labels: int64, one (k,) tensor per image.
        ids: COCO image ids.
        samples: what the batch was made of, before augmentation; `samples[i].to_original(boxes)` maps predictions back.
    """

    images: UInt8[Tensor, "n 3 h w"]
    boxes: list[Tensor]
    labels: list[Tensor]
    ids: tuple[int, ...]
    samples: tuple[Sample, ...]

    def __len__(self) -> int:
        """The number of images."""
        return len(self.ids)


def batch_at(split: Split, step: int, batch_size: int, seed: int, name: str, augment: bool = False) -> Batch:
    """The training batch of one step.

    Steps walk through one random order of the split per epoch, each sample once; a batch may straddle two epochs, so
    every batch is full.

    Args:
        split: to draw from.
        step: counted from 0.
        batch_size: images, at least 1.
        seed: of the run.
        name: of the stage: stages see different orders.
        augment: flip each image left-right with probability 1/2; wrong for digits and letters.
    """
    indices = positions_at(len(split), step, batch_size, seed, name).tolist()
    samples = [split[i] for i in indices]
    if not augment:
        return _collate(samples)
    from detection.mm import random_flip

    images, boxes = [], []
    for position, sample in enumerate(samples):
        image, flipped = random_flip(sample.image, sample.boxes, stream(seed, name, "flip", step, position))
        images.append(image)
        boxes.append(flipped)
    plain = _collate(samples)
    return Batch(images=torch.stack(images), boxes=boxes, labels=plain.labels, ids=plain.ids, samples=plain.samples)


def ordered(split: Split, batch_size: int) -> Iterator[Batch]:
    """Every sample once, in order, for evaluation; the last batch may be smaller."""
    for start in range(0, len(split), batch_size):
        yield _collate(split[start : start + batch_size])


@dataclass(frozen=True, slots=True, kw_only=True)
class Crops:
    """Pictures of single objects.

    Attributes:
        images: RGB.
        labels: positions in the split's `classes`.
    """

    images: UInt8[Tensor, "n 3 size size"]
    labels: Int64[Tensor, "n"]


def crops(split: Split, size: int, *, margin: float = 0.15, limit: int = 50_000) -> Crops:
    """A classification set to pre-train backbones on: the square around every box, scaled to `size`.

    Args:
        split: to cut from.
        size: side of a crop in pixels.
        margin: context added on each side, as a fraction of the box's longer side.
        limit: most crops made, evenly spaced over the split's samples.

    Raises:
        UserError: the split has no box.
    """
    total = sum(1 for note in split.coco["annotations"] if not note["iscrowd"])
    if not total:
        raise UserError(f"split {split.name!r} has no box to cut out: pre-train on another data set")
    stride = -(-total // limit)
    images, labels = [], []
    for index in range(0, len(split), stride):
        sample = split[index]
        for box, label in zip(sample.boxes.tolist(), sample.labels.tolist(), strict=True):
            images.append(cut_square(sample, box, size, margin))
            labels.append(label)
    return Crops(images=torch.stack(images), labels=torch.tensor(labels, dtype=torch.int64))


def cut_square(sample: Sample, box: Sequence[float], size: int, margin: float) -> Tensor:
    """The square around a box, shifted to stay inside the picture's content where the content is large enough.

    Args:
        sample: to cut from.
        box: xyxy in canvas pixels.
        size: side of the crop in pixels.
        margin: context added on each side, as a fraction of the box's longer side.
    """
    height = round(sample.original[0] * sample.scale[1])
    width = round(sample.original[1] * sample.scale[0])
    x1, y1, x2, y2 = box
    side = max(1, round((1 + 2 * margin) * max(x2 - x1, y2 - y1)))
    w, h = min(side, width), min(side, height)
    left = min(max(round((x1 + x2 - w) / 2), 0), width - w)
    top = min(max(round((y1 + y2 - h) / 2), 0), height - h)
    return transforms.resized_crop(sample.image, top, left, h, w, [size, size], antialias=True)


def _collate(samples: Sequence[Sample]) -> Batch:
    return Batch(
        images=torch.stack([sample.image for sample in samples]),
        boxes=[sample.boxes for sample in samples],
        labels=[sample.labels for sample in samples],
        ids=tuple(sample.image_id for sample in samples),
        samples=tuple(samples),
    )


def with_background(crops: Crops, split: Split, squares: tuple[Square, ...], size: int) -> Crops:
    """The crops of one class, label 0, and those of the background, label 1.

    Args:
        crops: of objects.
        split: that `squares` are places of.
        squares: what to cut out, at least one.
        size: side of a crop in pixels.
    """
    images = torch.stack([_cut(split, square, size) for square in squares])
    labels = torch.cat([torch.zeros_like(crops.labels), torch.ones(len(images), dtype=torch.int64)])
    return Crops(images=torch.cat([crops.images, images]), labels=labels)


def _cut(split: Split, square: Square, size: int) -> Tensor:
    sample = split[square.index]
    return cut_square(sample, [value * sample.scale[axis % 2] for axis, value in enumerate(square.box)], size, 0.0)
