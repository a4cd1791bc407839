"""What a detection data set is, wherever it comes from: samples, splits, and the three splits together."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from jaxtyping import Float, Int64, UInt8

from common.data.digest import digest
from common.data.record import SplitData

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One picture on its split's canvas (content at the top left, zeros to the right and below), and its boxes.

    Attributes:
        image: RGB.
        boxes: xyxy in canvas pixels, inside the content.
        labels: positions in the split's `classes`.
        image_id: the image's id in the split's COCO dict.
        file: where the picture came from, to name it in messages.
        scale: canvas pixels per original pixel, along x and y.
        original: height and width of the original picture in pixels.
    """

    image: UInt8[Tensor, "3 h w"]
    boxes: Float[Tensor, "n 4"]
    labels: Int64[Tensor, "n"]
    image_id: int
    file: str
    scale: tuple[float, float] = (1.0, 1.0)
    original: tuple[int, int]

    def to_original(self, boxes: Float[Tensor, "m 4"]) -> Float[Tensor, "m 4"]:
        """Boxes in canvas pixels, as a detector predicts them, mapped to the original picture and clipped to it."""
        return to_original(boxes, self.scale, self.original)


def to_original(boxes: Float[Tensor, "m 4"], scale: tuple[float, float], original: tuple[int, int]) -> Float[Tensor, "m 4"]:
    """Canvas boxes (xyxy) in the pixels of the picture of size `original` (h, w), clipped to it."""
    import torch

    height, width = original
    high = boxes.new_tensor([width, height, width, height])
    return torch.minimum(boxes / boxes.new_tensor([*scale, *scale]), high).clamp_min(0.0)


class Split:
    """A fixed sequence of samples on one canvas, with the COCO dict that pycocotools scores predictions against.

    The COCO dict is in original pixels. Splits pickle, so worker processes can have them; kept samples stay behind.

    Attributes:
        name: "train", "val" or "test".
        classes: class names in label order.
        coco: COCO-format dict with `images`, `annotations`, `categories`; images in the order of the samples.
        canvas: height and width of every sample's image in pixels.
        files: of the samples, in their order; none for samples out of memory.
        category_ids: COCO category id of each label.
    """

    def __init__(
        self,
        name: str,
        coco: dict[str, Any],
        *,
        canvas: tuple[int, int],
        read: Callable[[int], Sample],
        keep: bool,
        files: tuple[Path, ...] = (),
    ) -> None:
        """Make a split whose sample i is `read(i)`, where i is a position in `coco["images"]`.

        Args:
            name: of the split.
            coco: as described above, categories in label order.
            canvas: height and width of what `read` returns.
            read: picklable and pure.
            keep: remember every sample once read; for splits that fit in memory.
            files: of the samples, in their order; none for samples out of memory.
        """
        self.name = name
        self.coco = coco
        self.canvas = canvas
        self.files = files
        self.classes: tuple[str, ...] = tuple(category["name"] for category in coco["categories"])
        self.category_ids: tuple[int, ...] = tuple(category["id"] for category in coco["categories"])
        self._read = read
        self._keep = keep
        self._kept: dict[int, Sample] = {}

    def __len__(self) -> int:
        """The number of samples."""
        return len(self.coco["images"])

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> list[Sample]: ...
    def __getitem__(self, index: int | slice) -> Sample | list[Sample]:
        """Sample `index`, or the samples of a slice; do not write to their tensors."""
        if isinstance(index, slice):
            return [self[i] for i in range(len(self))[index]]
        index = range(len(self))[index]
        if index in self._kept:
            return self._kept[index]
        sample = self._read(index)
        if self._keep:
            self._kept[index] = sample
        return sample

    def __iter__(self) -> Iterator[Sample]:
        """Every sample in order."""
        return (self[index] for index in range(len(self)))

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the kept samples: a worker reads what it needs."""
        return {**self.__dict__, "_kept": {}}

    def head(self, count: int) -> Split:
        """The first `count` samples as a split of the same name (all of them if it has fewer), kept ones shared."""
        images = self.coco["images"][:count]
        ids = {image["id"] for image in images}
        annotations = [note for note in self.coco["annotations"] if note["image_id"] in ids]
        coco = {**self.coco, "images": images, "annotations": annotations}
        files = self.files[:count]
        first = Split(self.name, coco, canvas=self.canvas, read=self._read, keep=self._keep, files=files)
        first._kept = self._kept
        return first

    def renamed(self, name: str) -> Split:
        """The same samples under another name."""
        return Split(name, self.coco, canvas=self.canvas, read=self._read, keep=self._keep, files=self.files)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Data(SplitData[Split]):
    """Splits with the same classes and canvas.

    Attributes:
        pretraining: the image files that backbones are pre-trained on, where they are others.
    """

    pretraining: tuple[Path, ...] = ()

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in label order."""
        return self.train.classes

    @property
    def category_ids(self) -> tuple[int, ...]:
        """COCO category id of each label."""
        return self.train.category_ids

    @property
    def canvas(self) -> tuple[int, int]:
        """Height and width of every image in pixels."""
        return self.train.canvas

    def files(self) -> dict[str, tuple[Path, ...]]:
        """See `SplitData.files`."""
        return {split.name: split.files for split in self.splits}

    def counts(self) -> dict[str, dict[str, int]]:
        """See `SplitData.counts`: boxes."""
        names = dict(zip(self.category_ids, self.classes, strict=True))
        found = {}
        for split in self.splits:
            boxes = Counter(note["category_id"] for note in split.coco["annotations"] if not note["iscrowd"])
            found[split.name] = {name: boxes[key] for key, name in names.items()}
        return found

    def marks(self) -> Iterator[bytes]:
        """See `SplitData.marks`: the annotations of each split, names of files apart."""
        yield digest(self.pretraining, (file.parent.name.encode() for file in self.pretraining)).encode()
        for split in self.splits:
            images = [{key: value for key, value in image.items() if key != "file_name"} for image in split.coco["images"]]
            yield json.dumps({**split.coco, "info": {}, "images": images}, sort_keys=True).encode()

    def facts(self) -> dict[str, Any]:
        """See `SplitData.facts`."""
        return {
            "classes": list(self.classes),
            "canvas": list(self.canvas),
            "images": {split.name: len(split) for split in self.splits},
            "boxes": {split.name: sum(not note["iscrowd"] for note in split.coco["annotations"]) for split in self.splits},
        }
