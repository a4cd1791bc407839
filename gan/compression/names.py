"""Which generator a text stands for: a released name, an architecture file, or a configuration as the paper's code writes it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from common.cost.conventions import conv_linear, output_elements
from common.describe import check_name, check_own_space, counted, is_file, read_file
from common.space import decode
from gan.compression.model import build
from gan.compression.space import CHOICES, PUBLISHED, Generator, arch_of, open_space, parse, settled, written

if TYPE_CHECKING:
    from gan.compression.system import Describing

SIDE = 256
"""Side of the pictures that the published counts are of, in pixels."""
CONVENTION = (
    "a generator of 256x256 pictures: MACs of convolutions, transposed ones by their output, and one for each output of an "
    "instance normalisation, as the paper prints them; all trainable parameters"
)


def describe(options: Describing) -> dict[str, Any]:
    """Counts of a generator under the convention of the paper, and the multiply-adds that its convolutions compute."""
    name, net = read(options.arch, options.space)
    picture = (torch.empty(1, net.channels[0], SIDE, SIDE, device="meta"),)
    found = counted(lambda: build(net), lambda: picture, output_elements)
    return {
        "system": "gan-compression",
        "arch": options.arch,
        **hint(options.arch),
        "space": name,
        "convention": CONVENTION,
        "config": written(net),
        "params": found.params,
        "macs": found.macs,
        "macs_computed": counted(lambda: build(net), lambda: picture, conv_linear).macs,
        "description": asdict(net),
    }


def hint(text: str) -> dict[str, str]:
    """What is said of a configuration, or of a name, that was published for an older builder; nothing of any other."""
    for name, published in PUBLISHED.items():
        if published.older and text == published.older:
            return {
                "hint": f"{text} was published for an older builder, which makes another generator of it; the counts here are of "
                f"the generator that it is today: --arch {name} gives the published one"
            }
        if published.older and text == name:
            return {"hint": f"published as {published.older} for an older builder: `config` is how it is written today"}
    return {}


def read(text: str, space: str | None) -> tuple[str | None, Generator]:
    """Space (None: of no choice set) and generator that `text` stands for.

    Args:
        text: a released name, a configuration (`32_32_48_32_48_48_16_16`), or an architecture file (of nine blocks).
        space: the choice set that a configuration or a file must be of; for a file the first that it fits by default.

    Raises:
        UserError: none of these, or of another space.
    """
    check_name(space, CHOICES)
    if text in PUBLISHED:
        check_own_space(text, PUBLISHED[text].space, space)
        return PUBLISHED[text].space, decode(*PUBLISHED[text].open())
    if is_file(text, PUBLISHED, " and no configuration"):
        spaces = [(name, open_space(name)) for name in (CHOICES if space is None else (space,))]
        name, net, arch = read_file(Path(text), spaces, "GAN Compression")
        return name, decode(net, arch)
    widths = parse(text)
    if space is not None:
        arch_of(open_space(space), widths)  # refuses a width that the space does not have
    return space, settled(widths)
