"""Which network a text stands for, a released one, an architecture file or cells in words, and what it costs."""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from common.describe import read_file
from common.errors import UserError
from common.space import decode
from superres.hnas.costs import HNASCosts
from superres.hnas.space import CELLS, PUBLISHED, WIDTH, Cell, Network, arch_of, cell_of, open_network

SIDE, LARGE = 48, 480
"""Sides of the pictures that costs are told for, in pixels of low resolution: the paper's, and ten times it."""
MOST_CELLS = 40
"""Cells of the longest row that an architecture file is looked for in."""
FORM = "NORMAL / UPSAMPLING / POSITION, with cells as `operation source, operation source, ...`, two for each node"


def describe(options: Any) -> dict[str, Any]:
    """Counts of a network as it is trained alone, without BatchNorm."""
    scale = options.scale or 2
    net = replace(read_network(options.arch), scale=scale, width=options.width or WIDTH, searching=False)
    space = open_network(scale, net.width, net.cells)
    arch = arch_of(space, net)
    costs, large = (HNASCosts(space, side).of(arch) for side in (SIDE, LARGE))
    return {
        "system": "hnas",
        "arch": options.arch,
        "convention": f"scale {scale}, a picture of {SIDE}x{SIDE} pixels, width {net.width}, {net.cells} cells: macs of "
        "convolutions, transposed ones not counted (the paper's convention); macs_deconv with transposed ones, by their output",
        **costs,
        f"macs_{LARGE}x{LARGE}": large["macs"],
        f"macs_deconv_{LARGE}x{LARGE}": large["macs_deconv"],
        "position": net.position,
        "normal": to_text(net.normal),
        "upsampling": to_text(net.upsampling),
        "description": asdict(net),
    }


def to_text(cell: Cell) -> str:
    """A settled cell in the notation that `superres.hnas.space.cell_of` reads."""
    pairs = [zip(node.operations, node.sources, strict=True) for node in cell.nodes]
    return ", ".join(f"{operation} {source}" for node in pairs for operation, source in node)


def read_network(text: str) -> Network:
    """The settled network that `text` stands for.

    Args:
        text: a released name, an architecture file, or `FORM`.

    Raises:
        UserError: no such name or file, a damaged file, or cells that the space does not have.
    """
    if text in PUBLISHED:
        return PUBLISHED[text]
    if os.path.isfile(text):
        spaces = [(f"{cells} cells", open_network(cells=cells)) for cells in (CELLS, *range(2, MOST_CELLS + 1))]
        _, space, arch = read_file(Path(text), spaces, "HNAS")
        return decode(space, arch)
    parts = [part.strip() for part in text.split("/")]
    if len(parts) != 3 or not parts[2].isdecimal():
        raise UserError(f"{text}: no released network ({', '.join(PUBLISHED)}), no file, and not of the form {FORM}")
    try:
        net = Network(normal=cell_of(parts[0]), upsampling=cell_of(parts[1]), position=int(parts[2]), scale=2)
    except ValueError:
        raise UserError(f"{text}: not of the form {FORM}") from None
    arch_of(open_network(), net)
    return net
