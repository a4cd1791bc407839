"""Cells as a picture: nodes in a row, every edge an arc with the name of its operation at the top."""

from __future__ import annotations

from collections.abc import Mapping
from xml.sax.saxutils import escape

from classification.darts.space import FIRST, Cell

UNIT, RISE, RADIUS, MARGIN = 112, 30, 13, 60
"""Pixels: between nodes, of an arc for each node that it passes, of a node, around a cell."""
DASHES = {"skip_connect": "6 4", "none": "1 5"}
"""How edges without weights are drawn."""


def draw_cells(cells: Mapping[str, Cell]) -> str:
    """Cells by name, one below the other, as SVG text."""
    parts, top = [], 0
    for name, cell in cells.items():
        drawn, height = _cell(name, cell)
        parts.append(f'<g transform="translate(0 {top})">{drawn}</g>')
        top += height
    nodes = max(len(cell.nodes) for cell in cells.values())
    width = 2 * MARGIN + UNIT * (FIRST + nodes - 1)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {top}" width="{width}" height="{top}" '
        f'font-family="sans-serif" font-size="12" fill="currentColor">{"".join(parts)}</svg>'
    )


def _cell(name: str, cell: Cell) -> tuple[str, int]:
    """The cell's elements and its height."""
    edges = [(number, edge.source, edge.op) for number, node in enumerate(cell.nodes, FIRST) for edge in node.edges]
    highest = max((number - source for number, source, _ in edges), default=1)
    line = 44 + RISE * highest + RADIUS
    parts = [f'<text x="8" y="18" font-weight="bold">{name} cell</text>']
    for number, source, op in edges:
        start, end, rise = _x(source), _x(number), RISE * (number - source)
        base = line - RADIUS
        curve = f"M {start} {base} Q {(start + end) / 2} {base - 2 * rise} {end} {base}"
        dashes = f' stroke-dasharray="{DASHES[op]}"' if op in DASHES else ""
        parts.append(f'<path d="{curve}" fill="none" stroke="currentColor" opacity="0.45"{dashes}/>')
        label = f'<text x="{(start + end) / 2}" y="{base - rise - 4}" text-anchor="middle">{escape(op)}</text>'
        parts.append(label)
    for number in range(FIRST + len(cell.nodes)):
        circle = f'<circle cx="{_x(number)}" cy="{line}" r="{RADIUS}" fill="none" stroke="currentColor"/>'
        parts.append(f'{circle}<text x="{_x(number)}" y="{line + 4}" text-anchor="middle">{number}</text>')
    for number, text in enumerate(("cell before last", "last cell")):
        parts.append(f'<text x="{_x(number)}" y="{line + 30}" text-anchor="middle" opacity="0.7">{text}</text>')
    joined = f"output: {', '.join(map(str, cell.concat))}"
    parts.append(f'<text x="{_x(FIRST)}" y="{line + 30}" opacity="0.7">{joined}</text>')
    return "".join(parts), line + 44


def _x(number: int) -> int:
    return MARGIN + UNIT * number
