"""What a classification data set is, wherever it comes from: splits of square pictures, and the three splits together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from numpy.typing import NDArray
from torch import Tensor

from common.data.record import SplitData
from common.errors import UserError
from common.streams import numpy_stream


@runtime_checkable
class Source(Protocol):
    """Square RGB pictures of one size, found by row."""

    @property
    def size(self) -> int:
        """Side of every picture in pixels."""
        ...

    def __len__(self) -> int:
        """The number of rows."""
        ...

    def take(self, rows: Int64[Tensor, "n"]) -> UInt8[Tensor, "n 3 size size"]:
        """Copies of the pictures of `rows`, in that order.

        Raises:
            UserError: a file cannot be read.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Held:
    """Pictures in memory.

    Attributes:
        images: RGB.
    """

    images: UInt8[Tensor, "n 3 size size"]

    @property
    def size(self) -> int:
        """Side of every picture in pixels."""
        return self.images.shape[-1]

    def __len__(self) -> int:
        """The number of pictures."""
        return len(self.images)

    def take(self, rows: Int64[Tensor, "n"]) -> UInt8[Tensor, "n 3 size size"]:
        """Copies of the pictures of `rows`."""
        return self.images.index_select(0, rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Normalisation per channel: (image / 255 - mean) / std.

    Attributes:
        mean: of the training pictures' channels, 0 to 1.
        std: likewise; 1 for a channel that never varies.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def __call__(self, images: UInt8[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 h w"]:
        """The pictures as float32 with mean 0 and variance 1 over the training pictures."""
        mean, std = (255.0 * torch.tensor(values).view(3, 1, 1) for values in (self.mean, self.std))
        return images.to(torch.float32).sub_(mean).div_(std)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Split:
    """A fixed sequence of labelled pictures; splits pickle, so worker processes can have them.

    Attributes:
        name: "train", "val" or "test", and of which half.
        classes: class names in label order.
        source: where the pictures are.
        rows: the source's row of each picture.
        labels: positions in `classes`.
        scale: the normalisation, measured on the data set's whole training split.
        mirrored: whether a picture's mirror image is of the same class; never so for digits and letters.
    """

    name: str
    classes: tuple[str, ...]
    source: Source
    rows: Int64[Tensor, "n"]
    labels: Int64[Tensor, "n"]
    scale: Scale
    mirrored: bool

    @property
    def size(self) -> int:
        """Side of every picture in pixels."""
        return self.source.size

    def __len__(self) -> int:
        """The number of pictures."""
        return len(self.rows)

    def images(self, positions: Int64[Tensor, "n"]) -> UInt8[Tensor, "n 3 size size"]:
        """The pictures at `positions` (0 to len - 1), unscaled."""
        return self.source.take(self.rows[positions])

    def part(self, positions: Int64[Tensor, "n"], name: str) -> Split:
        """The pictures at `positions` as a split; pictures already read are shared."""
        return replace(self, name=name, rows=self.rows[positions], labels=self.labels[positions])

    def head(self, count: int) -> Split:
        """`count` pictures, spread evenly over the classes, the first of each (all if it has fewer), in their order."""
        turn = np.empty(len(self), dtype=np.int64)
        for members in by_class(self.labels.numpy(), len(self.classes)):
            turn[members] = np.arange(len(members))
        chosen = np.sort(np.argsort(turn, kind="stable")[:count])
        return self.part(torch.from_numpy(chosen), self.name)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClassificationData(SplitData[Split]):
    """Splits with the same classes, size and normalisation; `halves` divides `train` between weights and architecture."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in label order."""
        return self.train.classes

    @property
    def image_size(self) -> int:
        """Side of every picture in pixels."""
        return self.train.size

    @property
    def scale(self) -> Scale:
        """The normalisation of every batch."""
        return self.train.scale

    def facts(self) -> dict[str, Any]:
        """See `SplitData.facts`."""
        return {
            "classes": list(self.classes),
            "image_size": self.image_size,
            "images": {split.name: len(split) for split in self.splits},
            "mean": list(self.scale.mean),
            "std": list(self.scale.std),
            "mirrored": self.train.mirrored,
        }


def by_class(labels: NDArray[np.int64], classes: int) -> list[NDArray[np.int64]]:
    """The positions of every class, ascending."""
    return [np.flatnonzero(labels == label) for label in range(classes)]


def halves(split: Split, seed: int) -> tuple[Split, Split]:
    """Two disjoint halves, one for the weights and one for the architecture (DARTS, Liu et al. 2019, section 3.1).

    Every class is halved, and odd classes give their extra picture to either half in turn, so the halves differ by at most
    one picture per class and one in all. The paper cuts a shuffled list and does not balance classes.

    Args:
        split: to divide, usually `train`.
        seed: of the division; nothing else enters it.

    Returns:
        The half for the weights and the half for the architecture, each in the split's order.

    Raises:
        UserError: a class has fewer than two pictures.
    """
    sides: tuple[list[NDArray[np.int64]], list[NDArray[np.int64]]] = ([], [])
    extra = 0
    for label, members in enumerate(by_class(split.labels.numpy(), len(split.classes))):
        if len(members) < 2:
            raise UserError(
                f"class {split.classes[label]!r} has {len(members)} image(s) in {split.name}: weights and architecture need one "
                "each; add images or take the class out"
            )
        shuffled = numpy_stream(seed, "halves", label).permutation(members)
        cut = (len(members) + (len(members) % 2) * (1 - extra)) // 2
        extra ^= len(members) % 2
        sides[0].append(shuffled[:cut])
        sides[1].append(shuffled[cut:])
    first, second = (torch.from_numpy(np.sort(np.concatenate(side))) for side in sides)
    return split.part(first, f"{split.name}/weights"), split.part(second, f"{split.name}/architecture")
