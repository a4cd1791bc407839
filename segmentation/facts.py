"""What a run remembers of segmentation data: enough to export its networks and to run them on image files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from PIL import Image
from torch import nn

from common.data.pictures import of_user
from common.export import Parity
from common.file_facts import FileFacts
from segmentation import mm
from segmentation.data.files import read_picture
from segmentation.data.labels import Colour
from segmentation.export import export
from segmentation.pictures import coloured, framed, seen


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentationFacts(FileFacts):
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

    def read(self, file: Path) -> np.ndarray:
        """See `FileFacts.read`: RGB pixels."""
        return of_user(file, lambda: read_picture(file, self.limit))

    def predicted(self, network: nn.Module, item: np.ndarray, target: Path) -> Mapping[str, Any]:
        """See `FileFacts.predicted`: the image beside the classes found; `shares`, each class's share of the pixels."""
        assert isinstance(network, mm.Segmentor)
        labels = mm.predict(network, torch.from_numpy(item).permute(2, 0, 1)[None])[0].numpy()
        panels = [Image.fromarray(item), coloured(labels, self.palette)]
        framed(panels, seen((labels,), self.classes, self.palette)).save(target)
        pixels = np.bincount(labels.ravel(), minlength=len(self.classes))
        return {"shares": {name: round(float(n / labels.size), 4) for name, n in zip(self.classes, pixels, strict=True) if n}}
