"""What a run remembers of translation data: enough to export its generators and to run them on image files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from PIL import Image
from torch import nn

from common.data.pictures import Unusable
from common.errors import UserError
from common.export import Parity
from common.run.files import free_path
from gan.data import to_float
from gan.data.files import decoded
from gan.data.images import squeezed
from gan.export import export
from gan.pictures import image_of


@dataclass(frozen=True, slots=True, kw_only=True)
class TranslationFacts:
    """What a run remembers of its data.

    Attributes:
        size: side of the pictures, in pixels.
    """

    OF_SETTINGS: ClassVar[dict[str, str]] = {"size": "size"}

    size: int

    def example(self) -> tuple[torch.Tensor, ...]:
        """A grey picture."""
        return (torch.zeros(1, 3, self.size, self.size),)

    def export(self, network: nn.Module, folder: Path) -> Parity:
        """See `gan.export.export`."""
        return export(network, self.size, folder)

    @torch.no_grad()
    def predict(self, network: nn.Module, files: Sequence[Path], folder: Path) -> Iterator[dict[str, Any]]:
        """The picture that a generator makes of each image file, as PNG of the image's own size in `folder`.

        Args:
            network: the generator, in eval mode: images are fitted into its size, and back.
            files: the images; every one is read before the first picture is written, so a bad name costs nothing.
            folder: where the pictures go; it exists.

        Yields:
            `image` and `picture`, the two files.

        Raises:
            UserError: a file is missing or is not an image.
        """
        images = [_read(file) for file in files]
        taken = {file.resolve() for file in files}
        for file, image in zip(files, images, strict=True):
            made = network(to_float(torch.from_numpy(squeezed(image, self.size)))[None])[0]
            target = free_path(folder, f"{file.stem}-translated", ".png", taken)
            image_of(made).resize(image.size, Image.Resampling.BICUBIC).save(target)
            yield {"image": str(file), "picture": str(target)}


def _read(file: Path) -> Image.Image:
    try:
        return decoded(file).rgb
    except Unusable as error:
        raise UserError(f"{file}: {error}; give an image file") from None
