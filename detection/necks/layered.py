"""BiFPN, and the pyramids it was compared with, as plain data (Tan et al., 1911.09070, section 3 and table 4). No torch here.

A layer is a list of nodes over a pool: its inputs, one for each level, then its own nodes in turn. The last node of each level is
an output of the layer.

>>> wired("bifpn", (3, 4, 5))  # pool: 0, 1, 2 are the inputs of levels 3, 4, 5
(Node(level=4, inputs=(1, 2)), Node(level=3, inputs=(0, 3)), Node(level=4, inputs=(1, 3, 4)), Node(level=5, inputs=(2, 5)))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from common.errors import UserError

Wiring = Literal["bifpn", "panet", "fpn"]
Fusion = Literal["fast", "softmax", "sum"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node of a layer: its level, and the numbers of its inputs in the pool."""

    level: int
    inputs: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BiFPN:
    """A stack of layers. `layers` is a `Repeat` where their number is searched, `fusion` may be a decision in each."""

    width: int
    """Channels of the pyramid."""
    levels: tuple[int, ...] = (3, 4, 5, 6, 7)
    """Consecutive, ascending; level l has stride 2**l."""
    layers: Any
    """`BiFPNLayer`s."""
    wiring: Wiring = "bifpn"


@dataclass(frozen=True, slots=True, kw_only=True)
class BiFPNLayer:
    """What the layers of a stack can differ in."""

    fusion: Any = "fast"
    """How a node adds its inputs: `fast` and `softmax` are weighted means with a learnt scalar an edge, `sum` is unweighted."""


def wired(name: Wiring, levels: Sequence[int]) -> tuple[Node, ...]:
    """The nodes of a layer.

    Args:
        name: `bifpn`: top-down, then bottom-up with an edge from every earlier node of the level. `panet`: the same without that
            edge from the input, and with nodes for the first and last level in both directions. `fpn`: top-down alone.
        levels: consecutive, ascending, at least two.

    Raises:
        UserError: there is no such wiring, or the levels are not consecutive.
    """
    if name not in get_args(Wiring):
        raise UserError(f"wiring {name!r} does not exist; choose one of {', '.join(get_args(Wiring))}")
    whole = all(type(level) is int for level in levels)
    if len(levels) < 2 or not whole or list(levels) != list(range(levels[0], levels[0] + len(levels))):
        raise UserError(f"pyramid levels {tuple(levels)}: give two or more consecutive levels, ascending, e.g. (3, 4, 5, 6, 7)")
    of: dict[int, list[int]] = {level: [i] for i, level in enumerate(levels)}
    nodes: list[Node] = []

    def add(level: int, inputs: list[int]) -> None:
        of[level].append(len(levels) + len(nodes))
        nodes.append(Node(level=level, inputs=tuple(inputs)))

    low, high = levels[0], levels[-1]
    match name:
        case "bifpn":
            for level in range(high - 1, low - 1, -1):
                add(level, [of[level][-1], of[level + 1][-1]])
            for level in range(low + 1, high + 1):
                add(level, [*of[level], of[level - 1][-1]])
        case "panet":
            add(high, [of[high][-1]])
            for level in range(high - 1, low - 1, -1):
                add(level, [of[level][-1], of[level + 1][-1]])
            add(low, [of[low][-1]])
            for level in range(low + 1, high + 1):
                add(level, [of[level][-1], of[level - 1][-1]])
        case "fpn":
            add(high, [of[high][-1]])
            for level in range(high - 1, low - 1, -1):
                add(level, [of[level][-1], of[level + 1][-1]])
    return tuple(nodes)
