"""What a run remembers of translation data: enough to export its generators and to run them on image files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from PIL import Image
from torch import nn

from common.data.pictures import of_user
from common.export import Parity
from common.file_facts import FileFacts
from gan.data import to_float
from gan.data.files import decoded
from gan.data.images import squeezed
from gan.export import export
from gan.pictures import image_of


@dataclass(frozen=True, slots=True, kw_only=True)
class TranslationFacts(FileFacts):
    """What a run remembers of its data.

    Attributes:
        size: side of the pictures, in pixels.
    """

    OF_SETTINGS: ClassVar[dict[str, str]] = {"size": "size"}
    result: ClassVar[tuple[str, str]] = ("-translated", ".png")

    size: int

    def example(self) -> tuple[torch.Tensor, ...]:
        """A grey picture."""
        return (torch.zeros(1, 3, self.size, self.size),)

    def export(self, network: nn.Module, folder: Path) -> Parity:
        """See `gan.export.export`."""
        return export(network, self.size, folder)

    def read(self, file: Path) -> Image.Image:
        """See `FileFacts.read`."""
        return of_user(file, lambda: decoded(file).rgb)

    def predicted(self, network: nn.Module, item: Image.Image, target: Path) -> Mapping[str, Any]:
        """See `FileFacts.predicted`: what the generator makes of the image, fitted into its size and back."""
        made = network(to_float(torch.from_numpy(squeezed(item, self.size)))[None])[0]
        image_of(made).resize(item.size, Image.Resampling.BICUBIC).save(target)
        return {}
