"""A network that is a graph, as SVG: nodes in a grid of columns and rows, connections between them.

What a task draws of its architectures so, it leaves as `drawing.svg` in the run folder, where the report finds it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from common.run.report.drawing import COLOURS

COLUMN, ROW = 118, 66
"""Pixels from a column or row to the next."""
WIDTH, HEIGHT = 84, 30
"""Of a node, in pixels."""
LEFT, TOP = 84, 52
"""Room for the names of rows and columns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A part of the network.

    Attributes:
        name: what edges call it.
        column: place from left to right, from 0.
        row: place from top to bottom, from 0.
        text: what stands in it.
        colour: number of the report's block colour; None for an empty frame.
        live: whether it is part of the network; others are drawn faintly.
    """

    name: str
    column: int
    row: int
    text: str
    colour: int | None = None
    live: bool = True


def graph_svg(
    nodes: Sequence[Node], edges: Sequence[tuple[str, str]], columns: Sequence[str], rows: Sequence[str], title: str
) -> str:
    """The graph as SVG text.

    Args:
        nodes: at most one at each place.
        edges: (source, target) of every connection, by name, each to a column further right.
        columns: what to write above each column.
        rows: what to write beside each row.
        title: what a reader who does not see the picture is told.
    """
    places = {node.name: node for node in nodes}
    width, height = LEFT + COLUMN * len(columns), TOP + ROW * len(rows)
    lines = [_edge(places[source], places[target]) for source, target in edges]
    texts = [
        f'<text x="{LEFT + COLUMN * i + WIDTH / 2}" y="18" text-anchor="middle" opacity="0.7">{escape(text)}</text>'
        for i, text in enumerate(columns)
    ]
    texts += [
        f'<text x="8" y="{TOP + ROW * i + HEIGHT / 2 + 4}" opacity="0.7">{escape(text)}</text>' for i, text in enumerate(rows)
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="sans-serif" font-size="12" fill="currentColor"><title>{escape(title)}</title>'
        f"{''.join(texts)}{''.join(lines)}{''.join(map(_node, nodes))}</svg>\n"
    )


def _node(node: Node) -> str:
    x, y = LEFT + COLUMN * node.column, TOP + ROW * node.row
    faint = "" if node.live else ' stroke-dasharray="2 4" opacity="0.35"'
    fill = "none" if node.colour is None or not node.live else f"var(--block-{node.colour % COLOURS}, #dcdfe6)"
    box = f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="6" stroke="currentColor"{faint} style="fill: {fill}"/>'
    if not node.text:
        return box
    return f'{box}<text x="{x + WIDTH / 2}" y="{y + HEIGHT / 2 + 4}" text-anchor="middle">{escape(node.text)}</text>'


def _edge(source: Node, target: Node) -> str:
    """From the right side of one node to the left of the other; one that would run through nodes of its row bends round them."""
    x, y = LEFT + COLUMN * source.column + WIDTH, TOP + ROW * source.row + HEIGHT / 2
    to_x, to_y = LEFT + COLUMN * target.column, TOP + ROW * target.row + HEIGHT / 2
    reach = (to_x - x) / 2
    bend = 0.0 if source.row != target.row or target.column - source.column < 2 else -0.9 * ROW
    curve = f"M {x} {y} C {x + reach} {y + bend} {to_x - reach} {to_y + bend} {to_x} {to_y}"
    return f'<path d="{curve}" fill="none" stroke="currentColor" stroke-width="1.6" opacity="0.45"/>'
