"""What a run remembers of super-resolution data: enough to export its networks and to run them on image files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import nn

from common.export import Parity
from common.file_facts import FileFacts
from superres.export import export
from superres.files import check, upscale_file


@dataclass(frozen=True, slots=True, kw_only=True)
class SuperResFacts(FileFacts):
    """What a run remembers of its data.

    Attributes:
        scale: how many times larger its networks make pictures, in height and in width.
        patch: side of the high-resolution training patches, in pixels.
    """

    OF_SETTINGS: ClassVar[dict[str, str]] = {"scale": "scale", "patch": "patch"}
    result: ClassVar[tuple[str, str]] = ("-upscaled", ".png")

    scale: int
    patch: int

    def example(self) -> tuple[torch.Tensor, ...]:
        """A black picture of the size of the low-resolution training patches."""
        side = self.patch // self.scale
        return (torch.zeros(1, 3, side, side),)

    def export(self, network: nn.Module, folder: Path) -> Parity:
        """See `superres.export.export`."""
        return export(network, self.scale, self.patch // self.scale, folder)

    def read(self, file: Path) -> Path:
        """See `FileFacts.read`: the file itself, whose picture can be upscaled."""
        check(file, file.with_suffix(self.result[1]), self.scale)
        return file

    def predicted(self, network: nn.Module, item: Path, target: Path) -> Mapping[str, Any]:
        """See `FileFacts.predicted`: the picture upscaled; `size`, its width and height, and what reading converted."""
        said = upscale_file(network, item, target, self.scale)
        return {name: value for name, value in said.items() if name not in self.words}
