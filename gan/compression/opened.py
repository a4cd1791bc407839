"""A GAN Compression run folder made usable again without its data: its generators, their export, and pictures translated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import nn

from common.errors import UserError
from common.run.files import free_path
from common.stages.reload import read_run
from common.task import OpenedRun
from gan.compression.model import build
from gan.compression.settings import Settings
from gan.compression.space import open_space
from gan.data import to_float
from gan.data.files import Unusable, decoded
from gan.data.images import squeezed
from gan.export import export
from gan.pictures import image_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a run remembers of its data: nothing that its settings do not say."""


def open_run(run: Path) -> OpenedRun:
    """What can be done with the run folder `run`.

    Raises:
        UserError: its `config.json` is not one of this system's.
    """
    settings, _ = read_run(run, Settings, Facts)
    size = settings.data.size
    return OpenedRun(
        space=open_space(settings.space, settings.blocks, settings.dropout),
        build=build,
        example=lambda: (torch.zeros(1, 3, size, size),),
        export=lambda network, folder: export(network, size, folder).facts(),
        predict=partial(translate, size),
    )


@torch.no_grad()
def translate(size: int, network: nn.Module, files: Sequence[Path], folder: Path) -> Iterator[Mapping[str, Any]]:
    """What a generator makes of each image file, as PNG of the image's own size in `folder`.

    Args:
        size: side of the pictures it was trained on, in pixels: images are fitted into it, and back.
        network: the generator, in eval mode.
        files: the images; every one is read before the first is written, so a bad name costs nothing.
        folder: where the pictures go; it exists.

    Yields:
        `image` and `picture`, the two files.

    Raises:
        UserError: a file is missing or is not an image.
    """
    images = [_read(file) for file in files]
    taken = {file.resolve() for file in files}
    for file, image in zip(files, images, strict=True):
        made = network(to_float(torch.from_numpy(squeezed(image, size)))[None])[0]
        target = free_path(folder, f"{file.stem}-translated", ".png", taken)
        image_of(made).resize(image.size, Image.Resampling.BICUBIC).save(target)
        yield {"image": str(file), "picture": str(target)}


def _read(file: Path) -> Image.Image:
    try:
        return decoded(file).rgb
    except Unusable as error:
        raise UserError(f"{file}: {error}; give an image file") from None
