"""Strips of pictures: the input of a network, what bicubic upscaling and the network make of it, the true picture, the errors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from superres.metrics import bicubic, psnr_y, to_y
from superres.upscaling import upscaled

CROP = 96
"""Side of the part of a true picture that is shown, in pixels; less where the picture is smaller."""
ZOOM = 2
"""Shown pixels of a panel for each pixel of the true picture, in height and in width."""
GAP = 6
"""Pixels between panels."""
BAR = 10
"""Width of the scale of colours beside maps of errors, in pixels."""
COLOURS = "magma"
"""Matplotlib's map of colours that errors are shown in: black is none."""


class Pairs(Protocol):
    """The pictures that strips are drawn of; a split of the data."""

    groups: Sequence[str]

    def __len__(self) -> int:
        """The number of pictures."""
        ...

    def pair(self, index: int) -> tuple[UInt8[Tensor, "3 h w"], UInt8[Tensor, "3 H W"]]:
        """A picture at low and at high resolution."""
        ...


def draw_strips(
    network: nn.Module, split: Pairs, folder: Path, count: int, scale: int, *, ensemble: bool = False
) -> list[dict[str, str]]:
    """Writes two PNG files for each of the first pictures: panels of one part of it, and maps of the errors there.

    Panels are the input (pixels repeated), bicubic upscaling, the network's picture and the true one. The part shown is the one
    where the squared error of bicubic upscaling, of the brightness Y, is largest. Maps show the absolute error of Y of bicubic
    upscaling and of the network, in the colours of one scale from zero to the largest error of both.

    Args:
        network: in eval mode.
        split: the pictures.
        folder: where to; made if needed.
        count: pictures to draw, at most.
        scale: how many times larger the network makes pictures.
        ensemble: see `superres.upscaling.upscaled`.

    Returns:
        Rows of `file` (name in `folder`) and `caption`, two for each picture, in order. Captions have the PSNR of Y of the whole
        picture for bicubic upscaling and for the network.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for i in range(min(count, len(split))):
        low, high = split.pair(i)
        made = upscaled(network, low[None].float(), scale, ensemble=ensemble)[0].to(torch.uint8).cpu()
        pictures = (low.repeat_interleave(scale, 1).repeat_interleave(scale, 2), bicubic(low, scale), made, high)
        top, left, side = hardest(to_y(pictures[1]) - to_y(high), scale)
        part = slice(top, top + side), slice(left, left + side)
        errors = [(to_y(picture)[part] - to_y(high)[part]).abs() for picture in pictures[1:3]]
        most = max(float(error.max()) for error in errors)
        strip([_panel(picture[(slice(None), *part)]) for picture in pictures]).save(folder / f"{i}.png")
        strip([*(_map(error, most) for error in errors), _bar(side)]).save(folder / f"{i}-errors.png")
        by_bicubic, by_network = (float(psnr_y(picture, high, scale)) for picture in pictures[1:3])
        name = f"{split.groups[i]} {i + 1}".strip()
        scored = f"PSNR of bicubic {by_bicubic:.2f} dB, of the network {by_network:.2f} dB"
        rows.append({"file": f"{i}.png", "caption": f"{name}: input, bicubic, network, truth; {scored}"})
        shown = f"errors of bicubic and of the network, black 0 to white {most:.0f} of 255"
        rows.append({"file": f"{i}-errors.png", "caption": f"{name}: {shown}; {scored}"})
    return rows


def hardest(error: Float[Tensor, "h w"], scale: int) -> tuple[int, int, int]:
    """The square part of a picture with the largest sum of squared errors: its top, its left and its side, in pixels.

    All three are multiples of the scale; of equal parts the uppermost is taken, and of those the leftmost.
    """
    side = min(CROP, *error.shape) // scale * scale
    sums = F.avg_pool2d(error.double().square()[None, None], side, stride=scale)[0, 0]
    at = int(sums.argmax())
    return scale * (at // sums.shape[1]), scale * (at % sums.shape[1]), side


def strip(panels: Sequence[Image.Image]) -> Image.Image:
    """Images of one height side by side on white."""
    width = sum(panel.width for panel in panels) + GAP * (len(panels) - 1)
    whole = Image.new("RGB", (width, max(panel.height for panel in panels)), "white")
    left = 0
    for panel in panels:
        whole.paste(panel, (left, 0))
        left += panel.width + GAP
    return whole


def _panel(pixels: UInt8[Tensor, "3 h w"]) -> Image.Image:
    image = Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy())
    return image.resize((ZOOM * image.width, ZOOM * image.height), Image.Resampling.NEAREST)


def _map(error: Float[Tensor, "h w"], most: float) -> Image.Image:
    """An error in colours; `most` has the last one."""
    from matplotlib import colormaps

    shares = error.numpy() / max(most, 1e-9)
    colours = (colormaps[COLOURS](shares)[..., :3] * 255).round().astype(np.uint8)
    return _panel(torch.from_numpy(colours).permute(2, 0, 1))


def _bar(side: int) -> Image.Image:
    """The scale of colours: no error at the bottom, the largest at the top."""
    return _map(torch.linspace(1, 0, side)[:, None].expand(side, BAR), 1.0)
