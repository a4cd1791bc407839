"""Which network a text stands for, a released one, an architecture file or cells in words, and what it costs."""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from common.describe import read_file
from common.errors import UserError
from common.space import decode
from superres.hnas.costs import HNASCosts
from superres.hnas.space import CELLS, PUBLISHED, SIDE, WIDTH, Cell, Network, arch_of, cell_of, open_network

LARGE = 480
"""Side of a second picture that costs are printed for, in pixels of low resolution."""
MOST_CELLS = 40
"""Cells of the longest row that an architecture file is looked for in."""
FORM = "NORMAL / UPSAMPLING / POSITION of CELLS, with cells as `operation source, operation source, ...`, two for each node"


def describe(options: Any) -> dict[str, Any]:
    """Counts of a network as it is trained alone, without BatchNorm."""
    scale = options.scale or 2
    width = WIDTH if options.width is None else options.width
    if width < 1:
        raise UserError(f"--width {width}: give 1 channel or more")
    net = replace(read_network(options.arch), scale=scale, width=width, searching=False)
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
        "position": f"{net.position} of {net.cells}",
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
    if len(parts) != 3:
        near = get_close_matches(text.upper(), PUBLISHED, 1, 0.8)
        hint = f"did you mean {near[0]}?" if near else f"give {', '.join(PUBLISHED)}, a file, or {FORM}"
        raise UserError(f"{text}: no released network and no file; {hint}")
    position, _, cells = parts[2].partition(" of ")
    if not position.isdecimal() or (cells and not cells.isdecimal()):
        raise UserError(f"{text}: {parts[2]!r} is no position; give a whole number from 0, with its row: 3 of {CELLS}")
    count = int(cells) if cells else CELLS
    if not 2 <= count <= MOST_CELLS or int(position) >= count:
        raise UserError(
            f"{text}: position {position} of {count} cells; give one from 0 to below the cells, 2 to {MOST_CELLS} of them"
        )
    try:
        normal, upsampling = map(cell_of, parts[:2])
    except ValueError:
        raise UserError(f"{text}: not of the form {FORM}") from None
    net = Network(normal=normal, upsampling=upsampling, position=int(position), cells=count, scale=2)
    arch_of(open_network(cells=count), net)
    return net
