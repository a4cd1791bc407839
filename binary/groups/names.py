"""Which network a text stands for, an architecture file or numbers of groups; and what it costs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from binary.describing import data_of, description, network_of_file
from binary.groups.model import build
from binary.groups.networks import searched
from binary.groups.settings import Settings
from binary.groups.space import DEPTHWISE, Network, open_network, with_groups
from common.errors import UserError

SIDE = 224
"""Of the images that costs are printed for where there is no run, in pixels."""


def describe(options: Any) -> dict[str, Any]:
    """Counts of a network: on the images of its run, else on 224x224 pixels."""
    known = data_of(Path(options.arch)) if os.path.isfile(options.arch) else None
    return description("binary-groups", options.arch, read_network(options.arch), build, known[1] if known else SIDE)


def read_network(text: str) -> Network:
    """The settled network that a text stands for.

    Args:
        text: an architecture file of a run; or a number of groups, `depthwise` among them, for all 13 blocks of MobileNet-V1 or
            for each.

    Raises:
        UserError: the text is none of these, or a number divides no block's channels.
    """
    if os.path.isfile(text):
        return network_of_file(Path(text), "binary-groups", Settings, searched, [("paper", open_network())])
    space = open_network()
    try:
        groups = [word if word == DEPTHWISE else int(word) for word in text.split()]
    except ValueError:
        groups = []
    if not groups:
        raise UserError(
            f"{text!r} is no architecture file and no numbers of groups; give one for all {len(space.groups)} blocks or one for "
            f"each, of 1, 2, 4 ... or {DEPTHWISE}"
        )
    return with_groups(space, groups * len(space.groups) if len(groups) == 1 else groups)
