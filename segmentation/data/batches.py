"""From splits to batches: a training batch is a pure function of (seed, name, step), so a resumed run sees the same."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from PIL import Image
from torch import Tensor

from common.data.order import positions_at
from common.errors import UserError
from common.streams import numpy_stream
from segmentation.data.labels import IGNORE
from segmentation.data.samples import Sample, Split

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

PADDING = (124, 116, 104)
"""RGB beside a picture: ImageNet's mean colour, about 0 once normalised, which is what mmsegmentation pads with."""
_TRIES = 10  # windows drawn before one without any labelled pixel is taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """What is done alike to a picture and its labels (the recipe of DeepLab, which DCNAS follows).

    Attributes:
        crop: height and width in pixels of what is cut out.
        scale: lowest and highest factor a picture is scaled by first, drawn uniformly; (1, 1) leaves it as it is.
        flip: mirror left to right with probability 1/2; wrong for digits and letters.
    """

    crop: tuple[int, int]
    scale: tuple[float, float] = (0.5, 2.0)
    flip: bool = True

    def __post_init__(self) -> None:
        """Refuse what cannot be done."""
        if min(self.crop) < 1:
            raise UserError(f"crop={self.crop}: height and width must be at least 1 pixel")
        if not 0 < self.scale[0] <= self.scale[1] < math.inf:
            raise UserError(f"scale={self.scale}: must be (low, high) with 0 < low <= high")


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Samples side by side.

    Attributes:
        images: RGB.
        labels: positions in the split's `classes`, or 255 where the class does not count.
        files: where each picture came from.
    """

    images: UInt8[Tensor, "n 3 h w"]
    labels: Int64[Tensor, "n h w"]
    files: tuple[str, ...]

    def __len__(self) -> int:
        """The number of images."""
        return len(self.files)


def check_crop(split: Split, crop: tuple[int, int]) -> None:
    """Refuse a crop that is larger than every picture of the split, in height or in width.

    Smaller pictures are padded (as are those scaled down), since data sets such as VOC hold a few small ones.

    Raises:
        UserError: naming both sizes.
    """
    height, width = split.largest
    if crop[0] > height or crop[1] > width:
        raise UserError(
            f"crop {crop[0]}x{crop[1]} (height x width) is larger than the pictures of {split.name}, at most {height}x{width}: "
            f"choose a crop of at most {height}x{width}"
        )


def batch_at(split: Split, step: int, batch_size: int, seed: int, name: str, augmentation: Augmentation) -> Batch:
    """The training batch of one step.

    Steps walk through one random order of the split per epoch, each sample once; a batch may straddle two epochs, so
    every batch is full. Each picture is scaled (bilinear and antialiased, labels by the nearest pixel), a random window is cut
    out, and the window is mirrored or not. What a window has beside its picture is `PADDING`, ignored; a window without any
    labelled pixel is drawn anew, at most 10 times.

    Args:
        split: to draw from.
        step: counted from 0.
        batch_size: images, at least 1.
        seed: of the run.
        name: of the stage: stages see different orders.
        augmentation: of each picture.

    Raises:
        UserError: the crop is larger than the pictures.
    """
    check_crop(split, augmentation.crop)
    height, width = augmentation.crop
    images = np.empty((batch_size, height, width, 3), dtype=np.uint8)
    labels = np.empty((batch_size, height, width), dtype=np.int64)
    chosen = positions_at(len(split), step, batch_size, seed, name, split.name).tolist()
    for position, index in enumerate(chosen):
        rng = numpy_stream(seed, name, split.name, "augment", step, position)
        images[position], labels[position] = _augmented(split[index], augmentation, rng)
    return Batch(
        images=torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))),
        labels=torch.from_numpy(labels),
        files=tuple(split.files[index] for index in chosen),
    )


def ordered(split: Split, batch_size: int) -> Iterator[Batch]:
    """Every sample once, in order and at full size, for evaluation.

    A batch holds neighbours of one size, so it is smaller than `batch_size` at the end and where the size changes.
    """
    group: list[Sample] = []
    for sample in split:
        if group and (len(group) == batch_size or sample.labels.shape != group[0].labels.shape):
            yield _collate(group)
            group = []
        group.append(sample)
    yield _collate(group)


def _collate(samples: Sequence[Sample]) -> Batch:
    return Batch(
        images=torch.stack([sample.image for sample in samples]).contiguous(),
        labels=torch.stack([sample.labels for sample in samples]).long(),
        files=tuple(sample.file for sample in samples),
    )


def _augmented(
    sample: Sample, augmentation: Augmentation, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A window of the scaled picture and its labels, shapes (h, w, 3) and (h, w), h and w those of the crop.

    Only the window is resampled: a box of the original, with fractions of pixels, is what a cut of the whole scaled picture is.
    """
    height, width = sample.labels.shape
    # Pillow's view of the memory: no copy, as sample memory is height-major.
    picture = Image.fromarray(sample.image.permute(1, 2, 0).numpy())
    scale = rng.uniform(augmentation.scale[0], augmentation.scale[1])
    tall, wide = max(1, round(height * scale)), max(1, round(width * scale))
    rows, columns = min(tall, augmentation.crop[0]), min(wide, augmentation.crop[1])
    found, box = _window(rng, Image.fromarray(sample.labels.numpy()), (wide, tall), (columns, rows))
    cut = np.asarray(picture.resize((columns, rows), Image.Resampling.BILINEAR, box=box))
    if augmentation.flip and rng.random() < 0.5:
        cut, found = cut[:, ::-1], found[:, ::-1]
    image = np.empty((*augmentation.crop, 3), dtype=np.uint8)
    image[:] = PADDING
    image[:rows, :columns] = cut
    labels = np.full(augmentation.crop, IGNORE, dtype=np.uint8)
    labels[:rows, :columns] = found
    return image, labels


def _window(
    rng: np.random.Generator, values: Image.Image, scaled: tuple[int, int], size: tuple[int, int]
) -> tuple[NDArray[np.uint8], tuple[float, float, float, float]]:
    """The labels in a random window of width and height `size` of the picture at `scaled`, and its box in the original."""
    tries = 0
    while True:
        corner = [int(rng.integers(whole - part + 1)) for whole, part in zip(scaled, size, strict=True)]
        ratio = [original / whole for original, whole in zip(values.size, scaled, strict=True)]
        left, top = (at * factor for at, factor in zip(corner, ratio, strict=True))
        # Pillow refuses a box that ends beyond the picture by as little as a rounding error.
        right, bottom = (
            min((at + part) * factor, whole) for at, part, factor, whole in zip(corner, size, ratio, values.size, strict=True)
        )
        box = (left, top, right, bottom)
        labels = np.asarray(values.resize(size, Image.Resampling.NEAREST, box=box))
        tries += 1
        if tries == _TRIES or (labels != IGNORE).any():
            return labels, box
