"""Strips of pictures: the input of a generator, what a reference makes of it, what the generator makes, and the true picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from gan.data import Split, ordered, to_uint8
from gan.metrics import Reference

LEAST_SIDE = 128
"""Panels are enlarged to this side, so that small pictures can be seen."""
GAP = 6
"""Pixels between panels."""


def image_of(picture: Tensor, side: int | None = None) -> Image.Image:
    """A picture (3, h, w) in [-1, 1] as an image, enlarged to `side` if it is smaller."""
    image = Image.fromarray(to_uint8(picture).permute(1, 2, 0).contiguous().numpy())
    if side is not None and image.width < side:
        image = image.resize((side, round(side * image.height / image.width)), Image.Resampling.NEAREST)
    return image


def strip(pictures: list[Image.Image]) -> Image.Image:
    """Images of one height side by side on white."""
    width = sum(picture.width for picture in pictures) + GAP * (len(pictures) - 1)
    whole = Image.new("RGB", (width, max(picture.height for picture in pictures)), "white")
    left = 0
    for picture in pictures:
        whole.paste(picture, (left, 0))
        left += picture.width + GAP
    return whole


@torch.no_grad()
def draw_strips(
    split: Split, network: nn.Module, size: int, paired: bool, folder: Path, reference: Reference | None = None
) -> list[dict[str, str]]:
    """Writes one PNG per input: the input, the reference's picture, the network's, and in pairs the true one.

    Args:
        split: the pictures.
        network: generator on the CPU, in eval mode.
        size: side of the pictures, in pixels.
        paired: whether inputs have true pictures.
        folder: where to; made if needed.
        reference: generator that the network is compared with.

    Returns:
        Rows of `file` (name in `folder`) and `caption`, in the order of the inputs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made_by = ["generated"] if reference is None else [reference.name, reference.others]
    names = ["input", *made_by, *(["truth"] if paired else [])]
    truths = ordered(split.targets, size, 1) if paired else iter(())
    comparison = None if reference is None else reference.network(torch.device("cpu"))
    rows = []
    for i, x in enumerate(ordered(split.inputs, size, 1)):
        made, theirs = network(x), [] if comparison is None else [comparison(x)]
        panels = [x, *theirs, made, *([next(truths)] if paired else [])]
        strip([image_of(panel[0], LEAST_SIDE) for panel in panels]).save(folder / f"{i}.png")
        caption = f"{Path(split.inputs.files[i]).name}: {', '.join(names)}"
        if theirs:
            apart = float(np.abs((theirs[0] - made).numpy()).mean()) / 2
            caption += f"; {apart:.1%} of the range between the two generators"
        rows.append({"file": f"{i}.png", "caption": caption})
    return rows
