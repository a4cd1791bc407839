"""The classification sets that backbones are pre-trained on: crops of the training boxes, or a folder of images per class."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import v2 as transforms

from common.data.folder import folders, walk
from common.data.reader import Unusable, read_rgb
from common.errors import UserError
from common.streams import derive, numpy_stream, stream
from detection.data import Crops


class Images(Protocol):
    """A classification set."""

    @property
    def classes(self) -> int:
        """Number of classes."""
        ...

    def batch_at(self, step: int, batch: int, seed: int, name: str) -> tuple[Tensor, Tensor]:
        """Images (n, 3, s, s) uint8 RGB and labels (n,) of a step: a pure function of its arguments."""
        ...


class BoxCrops:
    """Crops of the training boxes, each class drawn equally often: detection sets are rarely balanced."""

    def __init__(self, crops: Crops, classes: int, *, flip: bool) -> None:
        """Sorts the crops by class.

        Args:
            crops: of the training split.
            classes: of the data set.
            flip: flip crops left-right at random.
        """
        self.classes = classes
        self._crops = crops
        self._flip = flip
        members = (torch.nonzero(crops.labels == label).flatten().numpy() for label in range(classes))
        self._members = [indices for indices in members if len(indices)]

    def batch_at(self, step: int, batch: int, seed: int, name: str) -> tuple[Tensor, Tensor]:
        """Crops shifted by up to a tenth of their side (what leaves one edge comes in at the other), flipped if wanted."""
        rng = numpy_stream(seed, name, "crops", step)
        groups = rng.integers(len(self._members), size=batch)
        picks = [int(rng.choice(self._members[group])) for group in groups]
        most = max(1, self._crops.images.shape[-1] // 10)
        images = []
        for pick, (dx, dy), flip in zip(picks, rng.integers(-most, most + 1, size=(batch, 2)), rng.random(batch), strict=True):
            image = torch.roll(self._crops.images[pick], (int(dy), int(dx)), (1, 2))
            images.append(image.flip(-1) if self._flip and flip < 0.5 else image)
        return torch.stack(images), self._crops.labels[picks]


class Folder:
    """`train/CLASS/*.jpg` below a folder (ImageNet's layout), augmented as in the paper.

    RandomResizedCrop, colour jitter of 0.4 in brightness, contrast and saturation, and a left-right flip.
    """

    def __init__(self, path: Path, size: int) -> None:
        """Lists the images; what is hidden or no regular file is none.

        Raises:
            UserError: the folder is not there, or holds images of no class or of one.
        """
        root = path / "train"
        names = folders(root)
        files = walk(root, root).pictures if names else ()
        self._samples = [(file, file.relative_to(root).parts[0]) for file in files if len(file.relative_to(root).parts) > 1]
        present = sorted({label for _, label in self._samples})
        if not present:
            raise UserError(f"{root}: no image-folder tree (no image in a class folder); it needs CLASS/*.jpg below it")
        if len(present) == 1:
            raise UserError(f"{root} has images of the class {present[0]!r} alone: a single class teaches nothing; add another")
        self._labels = {label: position for position, label in enumerate(present)}
        self.classes = len(present)
        self._augment = transforms.Compose(
            [
                transforms.PILToTensor(),
                transforms.RandomResizedCrop(size, antialias=True),
                transforms.ColorJitter(0.4, 0.4, 0.4),
                transforms.RandomHorizontalFlip(),
            ]
        )

    def batch_at(self, step: int, batch: int, seed: int, name: str) -> tuple[Tensor, Tensor]:
        """Augmented crops of randomly drawn images.

        Raises:
            UserError: an image cannot be read.
        """
        rng = stream(seed, name, "folder", step)
        rows = [self._samples[rng.randrange(len(self._samples))] for _ in range(batch)]
        pictures = [_read(file) for file, _ in rows]
        with torch.random.fork_rng([]):  # torchvision draws from the global generator: lend it to them
            torch.default_generator.manual_seed(derive(seed, name, "augment", step))
            images = [self._augment(picture) for picture in pictures]
        return torch.stack(images), torch.tensor([self._labels[label] for _, label in rows])


def _read(file: Path) -> Image.Image:
    """An RGB picture."""
    try:
        return read_rgb(file)
    except Unusable as error:
        raise UserError(f"{file}: {error}; replace or remove it") from None
