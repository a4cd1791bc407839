"""Cells as a picture: nodes in a row, every edge an arc with the name of its operation at the top.

What a task draws of its architectures so, it leaves as `drawing.svg` in the run folder, where the report finds it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

UNIT, RISE, RADIUS, MARGIN = 112, 30, 13, 60
"""Pixels: between nodes, of an arc for each node that it passes, of a node, around a cell."""
APART = 17
"""Pixels between the tops of two arcs from one node to the same other."""


class Arc(NamedTuple):
    """An operation between two nodes of a cell."""

    source: int
    target: int
    """A later node."""
    text: str


class DrawnCell(NamedTuple):
    """A cell with two inputs, the nodes 0 and 1, and further nodes."""

    title: str
    nodes: int
    """Nodes besides the inputs."""
    arcs: Sequence[Arc]
    output: Sequence[int]
    """Numbers of the nodes that are joined."""


def cells_svg(cells: Sequence[DrawnCell], dashes: Mapping[str, str]) -> str:
    """Cells, one below the other, as SVG text.

    Args:
        cells: one at least.
        dashes: name of an operation -> the dashes (`stroke-dasharray`) that it is drawn with.
    """
    parts, top = [], 0
    for cell in cells:
        drawn, height = _cell(cell, dashes)
        parts.append(f'<g transform="translate(0 {top})">{drawn}</g>')
        top += height
    width = 2 * MARGIN + UNIT * (1 + max(cell.nodes for cell in cells))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {top}" width="{width}" height="{top}" '
        f'font-family="sans-serif" font-size="12" fill="currentColor">{"".join(parts)}</svg>'
    )


def _cell(cell: DrawnCell, dashes: Mapping[str, str]) -> tuple[str, int]:
    """The cell's elements and its height."""
    rises = _rises(cell.arcs)
    line = 44 + max(rises, default=RISE) + RADIUS
    parts = [f'<text x="8" y="18" font-weight="bold">{escape(cell.title)}</text>']
    for arc, rise in zip(cell.arcs, rises, strict=True):
        start, end, base = _x(arc.source), _x(arc.target), line - RADIUS
        curve = f"M {start} {base} Q {(start + end) / 2} {base - 2 * rise} {end} {base}"
        dashed = f' stroke-dasharray="{dashes[arc.text]}"' if arc.text in dashes else ""
        parts.append(f'<path d="{curve}" fill="none" stroke="currentColor" opacity="0.45"{dashed}/>')
        parts.append(f'<text x="{(start + end) / 2}" y="{base - rise - 4}" text-anchor="middle">{escape(arc.text)}</text>')
    for number in range(2 + cell.nodes):
        circle = f'<circle cx="{_x(number)}" cy="{line}" r="{RADIUS}" fill="none" stroke="currentColor"/>'
        parts.append(f'{circle}<text x="{_x(number)}" y="{line + 4}" text-anchor="middle">{number}</text>')
    for number, text in enumerate(("cell before last", "last cell")):
        parts.append(f'<text x="{_x(number)}" y="{line + 30}" text-anchor="middle" opacity="0.7">{text}</text>')
    joined = f"output: {', '.join(map(str, cell.output))}"
    parts.append(f'<text x="{_x(2)}" y="{line + 30}" opacity="0.7">{joined}</text>')
    return "".join(parts), line + 44


def _rises(arcs: Sequence[Arc]) -> list[int]:
    """Height of every arc above the nodes: by the nodes that it passes, and higher for each other one between the same two."""
    before: Counter[tuple[int, int]] = Counter()
    found = []
    for arc in arcs:
        span = (arc.source, arc.target)
        found.append(RISE * (arc.target - arc.source) + APART * before[span])
        before[span] += 1
    return found


def _x(number: int) -> int:
    return MARGIN + UNIT * number
