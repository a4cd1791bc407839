"""The counts that `describe` prints of a binary network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from binary.costs import BINARY
from common.describe import counted, data_of_run
from common.overrides import plain

CONVENTION = (
    "an image of {0}x{0} pixels: macs of layers with real weights, bops of binary convolutions, ops = macs + bops / 64; bits of "
    "all parameters, 1 for a binary weight and 32 for any other; activation_bytes of the outputs of convolutions and linear "
    "layers"
)


def data_of(file: Path) -> tuple[int, int] | None:
    """Classes and side of the images of the run that an architecture file lies in; None for a file of no run."""
    data = data_of_run(file)
    classes, side = data.get("classes"), data.get("image_size")
    return (len(classes), side) if isinstance(classes, list) and isinstance(side, int) else None


def description(system: str, text: str, network: Any, build: Callable[[Any], nn.Module], side: int) -> dict[str, Any]:
    """The JSON object.

    Args:
        system: its name.
        text: what the user typed.
        network: settled description.
        build: description -> module.
        side: of the image, in pixels.
    """
    cost = counted(lambda: build(network), lambda: (torch.empty(1, 3, side, side),), BINARY)
    return {
        "system": system,
        "arch": text,
        "convention": CONVENTION.format(side),
        **cost.costs,
        "description": plain(network),
    }
