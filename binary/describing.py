"""The counts that `describe` prints of a binary network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from binary.costs import BINARY
from common.describe import counted, data_of_run, read_file, settings_of_run
from common.overrides import from_plain, plain
from common.space import decode

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


def network_of_file(
    file: Path,
    system: str,
    settings: type[Any],
    searched: Callable[[Any, int, int], Any],
    papers: Sequence[tuple[str, Any]],
) -> Any:
    """The settled network of an architecture file: of the space of the run that it lies in, else of the papers' spaces.

    Args:
        file: of an architecture.
        system: its name.
        settings: type of its settings.
        searched: (settings, classes, side of the images) -> open description.
        papers: name and open description of each.

    Raises:
        UserError: the file cannot be read, or is of none of these spaces.
    """
    spaces, of_run, known = list(papers), settings_of_run(file), data_of(file)
    if known and of_run:
        spaces.insert(0, ("run", searched(from_plain(settings, of_run, f"{file}: settings of its run"), *known)))
    _, space, arch = read_file(file, spaces, system)
    return decode(space, arch)


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
