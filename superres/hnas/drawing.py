"""The found network as a picture: both cells, and the place of the upsampling cell; see `common.run.report.cells`."""

from __future__ import annotations

from collections.abc import Mapping

from common.run.report.cells import Arc, DrawnCell, cells_svg
from superres.hnas.space import FIRST, Cell, Network

DASHES: Mapping[str, str] = dict.fromkeys(("skip_connect", "bilinear", "nearest", "area"), "6 4")
"""How operations without weights are drawn."""


def draw(net: Network) -> str:
    """The cells of a settled network as SVG text."""
    place = f"upsampling cell, number {net.position + 1} of {net.cells}"
    return cells_svg([_drawn("normal cell", net.normal), _drawn(place, net.upsampling)], DASHES)


def _drawn(title: str, cell: Cell) -> DrawnCell:
    arcs = [
        Arc(source, number, operation)
        for number, node in enumerate(cell.nodes, FIRST)
        for source, operation in zip(node.sources, node.operations, strict=True)
    ]
    return DrawnCell(title, len(cell.nodes), arcs, range(FIRST, FIRST + len(cell.nodes)))
