"""The blocks of a found network as a picture: a column each, from the linear layer at the top to the activation at the bottom."""

from __future__ import annotations

from collections.abc import Iterator

from common.run.report.graph import Node, graph_svg
from common.space import Arch, decode
from graphs.pdnas.space import Block, Message, Network, Personalised

ROWS = ("linear", "heads", "attention", "aggregation", "root", "activation")
"""What a block does, in order; `root` is what is added to the messages."""


def draw(space: Network, arch: Arch) -> str:
    """SVG text: blocks from left to right, what each does from top to bottom, and who hears whom.

    Args:
        space: the open description.
        arch: one of its architectures.
    """
    net: Network = decode(space, arch)
    last = len(net.blocks)
    nodes = [Node(name="0", column=0, row=len(ROWS) - 1, text=f"{net.features}")]
    nodes += [node for k, block in enumerate(net.blocks, 1) for node in _nodes(k, block, net.classes if k == last else None)]
    edges = [(str(k - 1), f"in {k}") for k in range(1, last + 1)]
    edges += [(str(m), f"in {k}") for k, block in enumerate(net.blocks, 1) for m, on in enumerate(block.shortcuts) if on]
    columns = ["features", *(f"block {k}" for k in range(1, last)), "scores"]
    shortcuts = len(edges) - last
    title = f"The found network: {last} blocks, {shortcuts} shortcuts between them"
    return graph_svg(nodes, edges, columns, list(ROWS), title)


def _nodes(k: int, block: Block, classes: int | None) -> Iterator[Node]:
    """The parts of the k-th block; the last one, which gives scores of `classes`, averages its heads."""
    attention, aggregation = _message(block.message)
    width = f"{block.width}" if classes is None else f"{classes} each"
    texts = (width, f"{block.heads}", attention, aggregation, "yes" if block.root else "", block.activation)
    for row, (text, what) in enumerate(zip(texts, ROWS)):
        name = f"in {k}" if row == 0 else str(k) if row == len(ROWS) - 1 else f"{k} {what}"
        yield Node(name=name, column=k, row=row, text=text, colour=row if text else None, live=bool(text))


def _message(message: Message | Personalised | None) -> tuple[str, str]:
    match message:
        case None:
            return "", ""
        case Message():
            return message.attention, message.aggregation
        case Personalised():
            return message.attention, "ten hops"
