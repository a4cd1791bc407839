"""A DCNAS run folder made usable again without its data: its networks, their export, and predictions on image files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from common.errors import UserError
from common.run.files import free_path
from common.stages.reload import read_run
from common.task import OpenedRun
from segmentation import mm
from segmentation.data.files import Unusable, read_picture
from segmentation.data.labels import Colour
from segmentation.dcnas.segmentor import segmentor
from segmentation.dcnas.settings import Settings
from segmentation.dcnas.space import Network
from segmentation.export import export
from segmentation.pictures import coloured, framed, seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a run remembers of its data.

    Attributes:
        classes: names of the labels.
        palette: colour of each class.
        size: the largest height and width of the training pictures, in pixels.
    """

    classes: tuple[str, ...]
    palette: tuple[Colour, ...]
    size: tuple[int, int]


def open_run(run: Path) -> OpenedRun:
    """What can be done with the run folder `run`.

    Raises:
        UserError: its `config.json` is not one of this system's.
    """
    settings, facts = read_run(run, Settings, Facts)

    def build(net: Network) -> nn.Module:
        return segmentor(net, settings.head, len(facts.classes))

    return OpenedRun(
        space=settings.space.open(),
        build=build,
        example=lambda: (torch.zeros(1, 3, *facts.size, dtype=torch.uint8),),
        export=partial(_export, facts),
        predict=partial(predict, facts, settings.data.size),
    )


def _export(facts: Facts, network: nn.Module, folder: Path) -> Mapping[str, Any]:
    assert isinstance(network, mm.Segmentor)
    return export(network, facts.size, facts.classes, facts.palette, folder).facts()


def predict(facts: Facts, limit: int | None, network: nn.Module, files: Sequence[Path], folder: Path) -> Iterator[dict[str, Any]]:
    """The class of every pixel of each image file, drawn beside it into `folder` as PNG.

    Args:
        facts: of the data that the network was trained on.
        limit: long side that larger images are reduced to, as those of the data were, in pixels, or None.
        network: the segmentor, in eval mode.
        files: the images; every one is read before the first is drawn, so a bad name costs nothing.
        folder: where the pictures go; it exists.

    Yields:
        `image`, `picture` and `shares`: the share of the pixels of each class that was found.

    Raises:
        UserError: a file is missing or is not an image.
    """
    assert isinstance(network, mm.Segmentor)
    images = [_read(file, limit) for file in files]
    taken = {file.resolve() for file in files}
    for file, image in zip(files, images, strict=True):
        labels = mm.predict(network, torch.from_numpy(image).permute(2, 0, 1)[None])[0].numpy()
        panels = [Image.fromarray(image), coloured(labels, facts.palette)]
        target = free_path(folder, f"{file.stem}-found", ".png", taken)
        framed(panels, seen((labels,), facts.classes, facts.palette)).save(target)
        pixels = np.bincount(labels.ravel(), minlength=len(facts.classes))
        shares = {name: round(float(n / labels.size), 4) for name, n in zip(facts.classes, pixels, strict=True) if n}
        yield {"image": str(file), "picture": str(target), "shares": shares}


def _read(file: Path, limit: int | None) -> np.ndarray:
    try:
        return read_picture(file, limit)
    except Unusable as error:
        raise UserError(f"{file}: {error}; give an image file") from None
