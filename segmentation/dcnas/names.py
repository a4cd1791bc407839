"""Which architecture a text stands for: the hand-made wiring `unet`, or an architecture file."""

from __future__ import annotations

import os
from pathlib import Path

from common.describe import Read, check_name, read_file
from common.errors import UserError
from segmentation.dcnas.sizes import SIZES
from segmentation.dcnas.wirings import unet


def read_arch(text: str, space: str | None) -> Read:
    """Name of the size, open description and architecture that `text` stands for.

    Args:
        text: `unet`, or an architecture file.
        space: name of the size; by default `paper` for `unet`, and for a file the one it was written for.

    Raises:
        UserError: no such size or file, or a damaged file.
    """
    check_name(space, SIZES)
    if text == "unet":
        name = space or "paper"
        net = SIZES[name].space()
        return Read(name, net, unet(net))
    if os.path.isdir(text):
        raise UserError(f"{text} is a folder; of a run, give {os.path.join(text, 'best', 'arch.json')}")
    if not os.path.isfile(text):
        raise UserError(f"{text}: no such file, and the one wiring that has a name is unet; give unet or an architecture file")
    spaces = [(name, size.space()) for name, size in SIZES.items() if space in (None, name)]
    return Read(*read_file(Path(text), spaces, "DCNAS"))
