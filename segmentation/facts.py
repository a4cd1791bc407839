"""What a run remembers of segmentation data: enough to export its networks and to run them on image files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from PIL import Image
from torch import nn

from common.errors import UserError
from common.export import Parity
from common.run.files import free_path
from segmentation import mm
from segmentation.data.files import Unusable, read_picture
from segmentation.data.labels import Colour
from segmentation.export import export
from segmentation.pictures import coloured, framed, seen


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentationFacts:
    """What a run remembers of its data.

    Attributes:
        classes: names of the labels.
        palette: colour of each class.
        size: the largest height and width of the training pictures, in pixels.
        limit: long side that larger pictures are reduced to, in pixels; None: none are.
    """

    OF_SETTINGS: ClassVar[dict[str, str]] = {"limit": "size"}

    classes: tuple[str, ...]
    palette: tuple[Colour, ...]
    size: tuple[int, int]
    limit: int | None

    def example(self) -> tuple[torch.Tensor, ...]:
        """A black image."""
        return (torch.zeros(1, 3, *self.size, dtype=torch.uint8),)

    def export(self, network: nn.Module, folder: Path) -> Parity:
        """See `segmentation.export.export`."""
        assert isinstance(network, mm.Segmentor)
        return export(network, self.size, self.classes, self.palette, folder)

    def predict(self, network: nn.Module, files: Sequence[Path], folder: Path) -> Iterator[dict[str, Any]]:
        """The class of every pixel of each image file, drawn beside it into `folder` as PNG.

        Args:
            network: the segmentor, in eval mode.
            files: the images; every one is read before the first is drawn, so a bad name costs nothing.
            folder: where the pictures go; it exists.

        Yields:
            `image`, `picture` and `shares`: the share of the pixels of each class that was found.

        Raises:
            UserError: a file is missing or is not an image.
        """
        assert isinstance(network, mm.Segmentor)
        images = [_read(file, self.limit) for file in files]
        taken = {file.resolve() for file in files}
        for file, image in zip(files, images, strict=True):
            labels = mm.predict(network, torch.from_numpy(image).permute(2, 0, 1)[None])[0].numpy()
            panels = [Image.fromarray(image), coloured(labels, self.palette)]
            target = free_path(folder, f"{file.stem}-found", ".png", taken)
            framed(panels, seen((labels,), self.classes, self.palette)).save(target)
            pixels = np.bincount(labels.ravel(), minlength=len(self.classes))
            shares = {name: round(float(n / labels.size), 4) for name, n in zip(self.classes, pixels, strict=True) if n}
            yield {"image": str(file), "picture": str(target), "shares": shares}


def _read(file: Path, limit: int | None) -> np.ndarray:
    try:
        return read_picture(file, limit)
    except Unusable as error:
        raise UserError(f"{file}: {error}; give an image file") from None
