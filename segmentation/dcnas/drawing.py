"""The grid of an architecture as a picture: strides from top to bottom, layers from left to right."""

from __future__ import annotations

from common.run.report.graph import Node, graph_svg
from common.space import Arch
from segmentation.dcnas.derive import network_of
from segmentation.dcnas.space import STEM, Network, edges


def draw(space: Network, arch: Arch) -> str:
    """SVG text: every cell of the space, those that are left of the architecture with operator and connections.

    Args:
        space: the open description.
        arch: one of its architectures.
    """
    net = network_of(space, arch)
    strides = sorted({cell.stride for cell in space.cells.values()})
    layers = max(cell.layer for cell in space.cells.values())
    operators = list(dict.fromkeys(op for cell in space.cells.values() for op in cell.op.options))
    nodes = [Node(name=STEM, column=0, row=0, text=STEM)]
    for name, cell in space.cells.items():
        left = net.cells.get(name)
        nodes.append(
            Node(
                name=name,
                column=cell.layer,
                row=strides.index(cell.stride),
                text=left.op if left else "",
                colour=operators.index(left.op) if left else None,
                live=left is not None,
            )
        )
    columns = ["", *(f"layer {layer}" for layer in range(1, layers + 1))]
    title = f"The cells of the found network by stride and layer: {len(net.cells)} of {len(space.cells)} are left"
    return graph_svg(nodes, list(edges(net)), columns, [f"stride {stride}" for stride in strides], title)
