"""What a run remembers of classification data: enough to export its networks and to run them on image files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from classification.data import Scale
from classification.data.images import fault, picture
from classification.export import Scaled, export
from classification.pictures import draw
from common.errors import UserError
from common.export import Parity
from common.run.files import free_path

NEUTRAL = "#37474f"
"""Frame of an image whose class nobody told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassificationFacts:
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

    def predict(self, network: nn.Module, files: Sequence[Path], folder: Path) -> Iterator[dict[str, Any]]:
        """The classes of each image file, written below it in a picture in `folder`.

        Args:
            network: the classifier, in eval mode.
            files: the images; every one is read before the first is drawn, so a bad name costs nothing.
            folder: where the pictures go; it exists.

        Yields:
            `image`, `picture` and `classes`: the probability of the best five by name, best first.

        Raises:
            UserError: a file is missing or is not an image.
        """
        images = [_read(file, self.image_size) for file in files]
        classify = Scaled(network, self.scale).eval()
        taken = {file.resolve() for file in files}
        for file, image in zip(files, images, strict=True):
            with torch.no_grad():
                scores = classify(image[None])[0]
            best = {
                self.classes[i]: round(float(scores[i]), 4) for i in scores.argsort(descending=True, stable=True)[:5].tolist()
            }
            target = free_path(folder, f"{file.stem}-found", ".png", taken)
            draw(image, NEUTRAL, [f"{name} {score:.2f}" for name, score in list(best.items())[:3]]).save(target)
            yield {"image": str(file), "picture": str(target), "classes": best}


def _read(file: Path, size: int) -> Tensor:
    if why := fault(lambda: picture(file, size)):
        raise UserError(f"{file}: {why}; give an image file")
    return torch.from_numpy(picture(file, size)[0])
