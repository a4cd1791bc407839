"""A pyramid as a picture: levels from top to bottom, cells from left to right in the order of the pool."""

from __future__ import annotations

from common.run.report.graph import Node, graph_svg
from common.space import Arch, decode
from detection.description import DetectorNet
from detection.necks.merges import NASFPN, merges

_COLOURS = {"sum": 0, "attention": 1}


def draw(space: DetectorNet, arch: Arch, on: str = "") -> str:
    """SVG text: the inputs, every cell with its operation, and an edge for each map that a cell merges or takes up as an orphan.

    Args:
        space: the open detector.
        arch: one of its architectures.
        on: what the title says of the backbone.
    """
    neck = decode(space, arch).neck
    assert isinstance(neck, NASFPN)
    levels = neck.wiring.levels
    rows = {level: len(levels) - 1 - i for i, level in enumerate(levels)}  # coarse above, fine below, as the paper draws them
    nodes = [Node(name=str(i), column=0, row=rows[level], text=f"P{level}") for i, level in enumerate(levels)]
    edges: list[tuple[str, str]] = []
    cells = merges(neck.wiring)
    for i, cell in enumerate(cells):
        name = str(len(levels) + i)
        text = f"{cell.op}, P{cell.level}" if cell.output else cell.op
        nodes.append(Node(name=name, column=i + 1, row=rows[cell.level], text=text, colour=_COLOURS[cell.op]))
        edges += [(str(k), name) for k in (*cell.inputs, *cell.orphans)]
    columns = ["inputs", *("output" if cell.output else "between" for cell in cells)]
    names = [f"level {level}" for level in reversed(levels)]
    title = f"The merging cells of the found pyramid: {len(cells)} cells on levels {levels[0]} to {levels[-1]}{on}"
    return graph_svg(nodes, edges, columns, names, title)
