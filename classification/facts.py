"""What a run remembers of classification data: enough to export its networks and to run them on image files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from classification.data import Scale
from classification.data.images import picture
from classification.export import Scaled, export
from classification.pictures import draw
from common.data.pictures import of_user
from common.export import Parity
from common.file_facts import FileFacts

NEUTRAL = "#37474f"
"""Frame of an image whose class nobody told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassificationFacts(FileFacts):
    """What a run remembers of its data.

    Attributes:
        classes: names of the labels.
        image_size: side of the images in pixels.
        mean: of the training images' channels, 0 to 1.
        std: likewise.
    """

    classes: tuple[str, ...]
    image_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @property
    def scale(self) -> Scale:
        """The normalisation."""
        return Scale(mean=self.mean, std=self.std)

    def example(self) -> tuple[Tensor, ...]:
        """A black image."""
        return (torch.zeros(1, 3, self.image_size, self.image_size),)

    def export(self, network: nn.Module, folder: Path) -> Parity:
        """See `classification.export.export`."""
        return export(network, self.image_size, self.scale, self.classes, folder)

    def read(self, file: Path) -> Tensor:
        """See `FileFacts.read`: the image, scaled and cut to the network's size."""
        return torch.from_numpy(of_user(file, lambda: picture(file, self.image_size)))

    def predicted(self, network: nn.Module, item: Tensor, target: Path) -> Mapping[str, Any]:
        """See `FileFacts.predicted`: the image with its classes below; `classes`, the best five by name, best first."""
        scores = Scaled(network, self.scale).eval()(item[None])[0]
        places = scores.argsort(descending=True, stable=True)[:5].tolist()
        best = {self.classes[i]: round(float(scores[i]), 4) for i in places}
        draw(item, NEUTRAL, [f"{name} {score:.2f}" for name, score in list(best.items())[:3]]).save(target)
        return {"classes": best}
