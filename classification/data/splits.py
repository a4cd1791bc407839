"""What a classification data set is, wherever it comes from: splits of square pictures, and the three splits together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int64, UInt8
from numpy.typing import NDArray

from common.data.record import SplitData
from common.errors import UserError
from common.streams import numpy_stream

if TYPE_CHECKING:
    from torch import Tensor


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

    @property
    def files(self) -> tuple[Path, ...]:
        """The file of each row, or the files that hold all of them; none for embedded pictures."""
        ...

    def take(self, rows: Int64[np.ndarray, "n"]) -> UInt8[np.ndarray, "n 3 size size"]:
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
        files: that the pictures come from; none for embedded ones.
    """

    images: UInt8[np.ndarray, "n 3 size size"]
    files: tuple[Path, ...] = ()

    @property
    def size(self) -> int:
        """Side of every picture in pixels."""
        return self.images.shape[-1]

    def __len__(self) -> int:
        """The number of pictures."""
        return len(self.images)

    def take(self, rows: Int64[np.ndarray, "n"]) -> UInt8[np.ndarray, "n 3 size size"]:
        """Copies of the pictures of `rows`."""
        return self.images[rows]


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
        import torch

        mean, std = (255.0 * torch.tensor(values).view(3, 1, 1) for values in (self.mean, self.std))
        return images.to(torch.float32).sub_(mean).div_(std)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Split:
    """A fixed sequence of labelled pictures; splits pickle, so worker processes can have them.

    Attributes:
        name: "train", "val" or "test", and of which half.
        classes: class names in label order.
        source: where the pictures are.
        row_array: the source's row of each picture.
        label_array: positions in `classes`.
        scale: the normalisation, measured on the data set's whole training split.
        mirrored: whether a picture's mirror image is of the same class; never so for digits and letters.
    """

    name: str
    classes: tuple[str, ...]
    source: Source
    row_array: Int64[np.ndarray, "n"]
    label_array: Int64[np.ndarray, "n"]
    scale: Scale
    mirrored: bool

    @property
    def size(self) -> int:
        """Side of every picture in pixels."""
        return self.source.size

    @property
    def rows(self) -> Int64[Tensor, "n"]:
        """`row_array` as a tensor."""
        import torch

        return torch.from_numpy(self.row_array)

    @property
    def labels(self) -> Int64[Tensor, "n"]:
        """`label_array` as a tensor."""
        import torch

        return torch.from_numpy(self.label_array)

    def __len__(self) -> int:
        """The number of pictures."""
        return len(self.row_array)

    def images(self, positions: Int64[Tensor, "n"]) -> UInt8[Tensor, "n 3 size size"]:
        """The pictures at `positions` (0 to len - 1), unscaled."""
        import torch

        return torch.from_numpy(self.source.take(self.row_array[positions.numpy()]))

    def part(self, positions: Int64[Tensor, "n"], name: str) -> Split:
        """The pictures at `positions` as a split; pictures already read are shared."""
        chosen = positions.numpy()
        return replace(self, name=name, row_array=self.row_array[chosen], label_array=self.label_array[chosen])

    def head(self, count: int) -> Split:
        """`count` pictures, spread evenly over the classes, the first of each (all if it has fewer), in their order."""
        import torch

        turn = np.empty(len(self), dtype=np.int64)
        for members in by_class(self.label_array, len(self.classes)):
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

    def files(self) -> dict[str, tuple[Path, ...]]:
        """See `SplitData.files`; a file that holds all pictures is named once in every split."""
        return {split.name: _files(split) for split in self.splits}

    def counts(self) -> dict[str, dict[str, int]]:
        """See `SplitData.counts`: images."""
        found = {split.name: np.bincount(split.label_array, minlength=len(self.classes)).tolist() for split in self.splits}
        return {name: dict(zip(self.classes, numbers, strict=True)) for name, numbers in found.items()}

    def marks(self) -> Iterator[bytes]:
        """See `SplitData.marks`: the classes, and the label and the row of every picture, where one file holds several."""
        yield repr(self.classes).encode()
        for split in self.splits:
            yield split.label_array.tobytes()
            if len(split.source.files) != len(split.source):
                yield split.row_array.tobytes()

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


def _files(split: Split) -> tuple[Path, ...]:
    files = split.source.files
    return tuple(files[row] for row in split.row_array.tolist()) if len(files) == len(split.source) else files


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
    import torch

    sides: tuple[list[NDArray[np.int64]], list[NDArray[np.int64]]] = ([], [])
    extra = 0
    for label, members in enumerate(by_class(split.label_array, len(split.classes))):
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
