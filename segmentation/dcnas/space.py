"""DCNAS's search space as data (arXiv 2003.11883), and Auto-DeepLab's grid in the same terms (arXiv 1901.02985).

A network is a stem and a grid of cells, each with a stride and a layer. A cell adds up maps of earlier cells, brought to its
own shape (fusion module), and applies one operator to the sum (mixture layer). The maps of the last layer, one for each stride,
are the network's output. What a search decides is a field of the description: which cells a cell reads, and its operator.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from common.errors import UserError
from common.space import ManyOf, OneOf

STEM = "stem"
"""The source that is no cell: the stem's map, at the finest stride and before the first layer."""

SKIP = "skip"
"""The operator that passes the fused map on."""

OPERATORS = (*(f"ir_k{kernel}_e{expansion}" for expansion in (3, 6) for kernel in (3, 5, 7)), SKIP)
"""Operators of a mixture layer: inverted residuals (kernel, expansion), and `skip` [R]."""

STRIDES = (4, 8, 16, 32)
"""The strides of the paper's grid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A fusion module and a mixture layer."""

    stride: int
    layer: int
    """Counted from 1."""
    inputs: Any
    """Names of the cells read (or `STEM`), as a tuple, or a decision (`ManyOf`) which of them are."""
    op: Any
    """Name of an operator, or a decision between names."""

    @property
    def name(self) -> str:
        """What inputs call the cell, and its module: `s8_l3`."""
        return cell_name(self.stride, self.layer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A stem, and cells on it. It gives a map for each cell of the last layer, finest first."""

    cells: dict[str, Cell]
    """By name, every one after those it reads, by layer, then stride. Those without a path to an output are there
    all the same; `pruned` leaves them out."""
    width: int
    """Channels at the finest stride; they double with the stride."""
    stem_stride: int = 4
    """Stride of the stem's map, a power of two up to 8: the finest of the grid."""
    partial: int = 1
    """A cell's operator sees 1 channel of so many, the others pass by: channel sampling as in PC-DARTS. [R] 4 in the paper's
    search; 1 in a network that is trained at last."""

    @property
    def outputs(self) -> tuple[Cell, ...]:
        """The cells of the last layer."""
        last = max((cell.layer for cell in self.cells.values()), default=0)
        return tuple(cell for cell in self.cells.values() if cell.layer == last)

    def width_at(self, stride: int) -> int:
        """Channels of maps at a stride."""
        return self.width * stride // self.stem_stride


def cell_name(stride: int, layer: int) -> str:
    """The name of the cell at this place of a grid."""
    return f"s{stride}_l{layer}"


def dcnas_space(
    *,
    layers: int = 14,
    width: int = 64,
    strides: Sequence[int] = STRIDES,
    operators: Sequence[str] = OPERATORS,
    inputs: int = 2,
    partial: int = 4,
    gradual: bool = True,
) -> Network:
    """The dense space: every cell may read the stem and all cells of earlier layers, at all strides.

    The paper's size of about 2^edges counts all subsets of inputs. Here an architecture has at most `inputs` of them for each
    cell, as those that are derived do; while strengths are learnt all are mixed, whatever `inputs` is.

    Args:
        layers: of the grid. [R] 14.
        width: channels at the finest stride. [R] 64.
        strides: of the grid, ascending, each twice the one before.
        operators: of the mixture layers.
        inputs: the most inputs that a cell of an architecture has: the k of the top-k rule. [R] 2; 3 is the other likely value.
        partial: see `Network.partial`. [R] 4.
        gradual: [R] whether the cells of a stride begin only at the layer where one octave a layer leads to it (stride 32 at
            layer 3); if not, all layers have all strides.

    Raises:
        UserError: a grid that cannot be: strides that do not double, too few layers for them, or a number out of range.
    """
    places = grid(layers, strides, gradual)
    readable = [[STEM, *(cell_name(s, at) for s, at in places if at < layer)] for _, layer in places]
    cells = _cells(places, readable, operators, inputs)
    return Network(cells=cells, width=width, stem_stride=strides[0], partial=partial)


def neighbour_space(
    *,
    layers: int = 12,
    width: int = 64,
    strides: Sequence[int] = STRIDES,
    operators: Sequence[str] = OPERATORS,
    inputs: int = 2,
    partial: int = 4,
) -> Network:
    """Auto-DeepLab's grid (arXiv 1901.02985, section 3.2): a cell may read the layer before it, at its own and the next strides.

    Its cells are DCNAS's, not the five-block cells of that paper: what is compared is how cells are connected. Arguments and
    errors as in `dcnas_space`.
    """
    places = grid(layers, strides, gradual=True)
    readable = [
        [STEM]
        if layer == 1
        else [cell_name(s, at) for s, at in places if at == layer - 1 and s in (stride // 2, stride, 2 * stride)]
        for stride, layer in places
    ]
    cells = _cells(places, readable, operators, inputs)
    return Network(cells=cells, width=width, stem_stride=strides[0], partial=partial)


def grid(layers: int, strides: Sequence[int], gradual: bool) -> list[tuple[int, int]]:
    """Stride and layer of every cell, by layer, then stride; arguments and errors as in `dcnas_space`."""
    if not strides or any(b != 2 * a for a, b in pairwise(strides)):
        raise UserError(f"strides {tuple(strides)}: a grid has one stride at least, each twice the one before: 4, 8, 16, 32 say")
    least = max(1, len(strides) - 1) if gradual else 1
    if layers < least:
        raise UserError(f"{layers} layers do not reach stride {strides[-1]} from {strides[0]}; give {least} at least")
    return [
        (stride, layer) for layer in range(1, layers + 1) for level, stride in enumerate(strides) if layer >= level or not gradual
    ]


def _cells(
    places: Sequence[tuple[int, int]], readable: Sequence[Sequence[str]], operators: Sequence[str], inputs: int
) -> dict[str, Cell]:
    """An open cell at each place, which takes up to `inputs` of what it may read."""
    if inputs < 1:
        raise UserError(f"inputs={inputs}: a cell has one input at least")
    cells = (
        Cell(stride=stride, layer=layer, inputs=ManyOf(named, 1, min(inputs, len(named))), op=OneOf(*operators))
        for (stride, layer), named in zip(places, readable, strict=True)
    )
    return {cell.name: cell for cell in cells}


def with_inputs(net: Network, most: int) -> Network:
    """An open network whose cells take `most` inputs at most.

    Raises:
        UserError: `most` is below 1.
    """
    if most < 1:
        raise UserError(f"inputs={most}: a cell has one input at least")
    cells = {
        name: replace(cell, inputs=ManyOf(cell.inputs.options, 1, min(most, len(cell.inputs.options))))
        for name, cell in net.cells.items()
    }
    return replace(net, cells=cells)


def possible_inputs(cell: Cell) -> tuple[str, ...]:
    """The names that a cell may read, or those that it does read where that is settled."""
    return cell.inputs.options if isinstance(cell.inputs, ManyOf) else tuple(cell.inputs)


def edges(net: Network) -> Iterator[tuple[str, str]]:
    """(source, cell) of every connection that the network has or, where open, may have."""
    return ((source, cell.name) for cell in net.cells.values() for source in possible_inputs(cell))


def level_paths(net: Network) -> int:
    """How many ways lead from the stem to an output, one cell a step, along the connections that there are or may be."""
    ways = {STEM: 1}
    for cell in net.cells.values():
        ways[cell.name] = sum(ways[source] for source in possible_inputs(cell))
    return sum(ways[cell.name] for cell in net.outputs)


def live_cells(net: Network) -> tuple[str, ...]:
    """The cells of a settled network that lie on a path from the stem to an output, in order."""
    fed = {STEM}
    for cell in net.cells.values():
        if fed.intersection(cell.inputs):
            fed.add(cell.name)
    used = {cell.name for cell in net.outputs}
    for cell in reversed(list(net.cells.values())):
        if cell.name in used:
            used.update(cell.inputs)
    return tuple(name for name in net.cells if name in fed & used)


def pruned(net: Network) -> Network:
    """A settled network without the cells, and the connections to them, that lie on no path from the stem to an output.

    It computes the same, and its weights are those of the cells that are left, under the same names.

    Raises:
        UserError: no output has a path from the stem.
    """
    live = live_cells(net)
    if not {cell.name for cell in net.outputs}.intersection(live):
        raise UserError("no path leads from the stem to an output; connect a cell of the last layer")
    there = {STEM, *live}
    cells = {name: replace(net.cells[name], inputs=tuple(s for s in net.cells[name].inputs if s in there)) for name in live}
    return replace(net, cells=cells)


def standalone(net: Network) -> Network:
    """The network that is trained at last, of a settled one of a search: pruned, and its operators see all channels. [R]"""
    return replace(pruned(net), partial=1)
