"""Cells as a picture; see `common.run.report.cells`."""

from __future__ import annotations

from collections.abc import Mapping

from classification.cells.space import FIRST, Cell
from common.run.report.cells import Arc, DrawnCell, cells_svg

DASHES = {"skip_connect": "6 4", "none": "1 5"}
"""How edges without weights are drawn."""


def draw_cells(cells: Mapping[str, Cell]) -> str:
    """Cells by name, one below the other, as SVG text."""
    drawn = []
    for name, cell in cells.items():
        arcs = [Arc(edge.source, number, edge.op) for number, node in enumerate(cell.nodes, FIRST) for edge in node.edges]
        drawn.append(DrawnCell(f"{name} cell", len(cell.nodes), arcs, cell.concat))
    return cells_svg(drawn, DASHES)
