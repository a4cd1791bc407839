"""The pyramids of NAS-FPN: merging cells over a pool of maps (Ghiasi et al., 1904.07392, section 3).

The pool begins with one map for each level. A cell takes two maps of the pool, brings both to its level, merges them, and
appends the result. The first cells are intermediate ones; the last ones are the outputs, one of each level. An output takes up
its orphans as well: maps of its level that no cell has used so far. The cells are stacked; each copy reads the outputs of the
one before.

Worked example, levels 3 and 4, one intermediate cell of level 4. The pool begins with 0 (P3) and 1 (P4). Cell 2 takes (0, 1).
Cell 3, the output of level 3, takes (0, 1) as well. Cell 4, the output of level 4, takes (0, 3): of the maps of level 4, map 1
has been used and map 2 has not. Map 2 is an orphan and is added to what cell 4 merges.

>>> merges(PUBLISHED)[4]
Merge(level=5, op='attention', inputs=(7, 8), orphans=(2,), output=True)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any, Literal, get_args

from common.errors import UserError
from common.space import ManyOf, OneOf

Op = Literal["sum", "attention"]
Gate = Literal["coarse-max", "fine-mean"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A merging cell: two maps of the pool, by number, and how they are merged."""

    inputs: Any
    """Two numbers of the pool, or a `ManyOf` of exactly two."""
    op: Any
    """`sum`, or `attention`: one map scales the channels of the other; or a decision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """The cells of a pyramid, open or settled."""

    levels: tuple[int, ...] = (3, 4, 5, 6, 7)
    """Of the pyramid, consecutive, ascending; level l has stride 2**l."""
    between: tuple[Any, ...]
    """Levels of the intermediate cells, or decisions."""
    order: Any
    """The level of each output cell: a permutation of `levels`, or a decision between them."""
    cells: tuple[Cell, ...]
    """The intermediate cells, then the output cells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NASFPN:
    """A stack of copies of one wiring."""

    wiring: Wiring
    width: int = 256
    """Channels of the pyramid."""
    stacks: int = 7
    """Number of copies, each with weights of its own."""
    gate: Gate = "coarse-max"
    """Attention: `coarse-max` scales the finer map by the coarser one's maxima (official code); `fine-mean` the coarser map
    by the finer one's means (mmdetection's code). Of two maps of one level, the first counts as the one that gates."""
    lite: bool = False
    """Separable convolutions and ReLU6 (section 4.4, NAS-FPNLite)."""
    anytime: bool = False
    """Training: the head reads every stack's pyramid, and its losses are their mean (section 3.3): a network can be stopped after
    any stack. How the stacks are weighted is not published."""

    @property
    def levels(self) -> tuple[int, ...]:
        """Of the pyramid."""
        return self.wiring.levels


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """One cell of a settled wiring, with what follows from the cells before it."""

    level: int
    op: Op
    inputs: tuple[int, int]
    orphans: tuple[int, ...]
    output: bool


PUBLISHED = Wiring(
    between=(4, 4),
    order=(3, 4, 5, 7, 6),
    cells=(
        Cell(inputs=(1, 3), op="attention"),
        Cell(inputs=(1, 5), op="sum"),
        Cell(inputs=(0, 6), op="sum"),
        Cell(inputs=(6, 7), op="sum"),
        Cell(inputs=(7, 8), op="attention"),
        Cell(inputs=(6, 9), op="attention"),
        Cell(inputs=(9, 10), op="attention"),
    ),
)
"""The pyramid that the paper found (figure 6f; official code)."""


def grammar(levels: Sequence[int] = (3, 4, 5, 6, 7), between: int = 2) -> Wiring:
    """Every wiring of these levels with `between` intermediate cells, which lie on none of the finest level.

    1.93e15 wirings with the defaults: the two maps of a cell are unordered.
    """
    n = len(levels)
    cells = tuple(Cell(inputs=ManyOf(range(n + i), 2, 2), op=OneOf(*get_args(Op))) for i in range(between + n))
    return Wiring(
        levels=tuple(levels),
        between=tuple(OneOf(*levels[1:]) for _ in range(between)),
        order=OneOf(*permutations(levels)),
        cells=cells,
    )


def merges(net: Wiring) -> tuple[Merge, ...]:
    """The cells of a settled wiring with their levels and orphans.

    Raises:
        UserError: a cell uses an unknown map, the same one twice, or an unknown operation; an output level is missing or given
            twice.
    """
    first, count = len(net.levels), len(net.between) + len(net.levels)
    if len(net.cells) != count:
        raise UserError(f"{len(net.cells)} merging cells: {len(net.between)} intermediate ones and {first} outputs need {count}")
    if sorted(net.order) != sorted(net.levels):
        raise UserError(
            f"output levels {tuple(net.order)}: {_wrong(net)}; give each of {', '.join(map(str, net.levels))} once, in any order"
        )
    levels = [*net.levels, *net.between, *net.order]
    used: set[int] = set()
    result: list[Merge] = []
    for i, cell in enumerate(net.cells):
        number, inputs = first + i, tuple(cell.inputs)
        if len(inputs) != 2 or len(set(inputs)) != 2 or not set(inputs) <= set(range(number)):
            raise UserError(f"cell {number} merges {inputs}: give two different maps of those before it, 0 to {number - 1}")
        if cell.op not in get_args(Op):
            raise UserError(f"cell {number}: operation {cell.op!r} does not exist; choose one of {', '.join(get_args(Op))}")
        if levels[number] not in net.levels:
            raise UserError(f"cell {number}: level {levels[number]} is none of the pyramid's {net.levels}")
        used |= set(inputs)
        output = i >= len(net.between)
        orphans = [k for k in range(number) if output and levels[k] == levels[number] and k not in used]
        used |= set(orphans)
        result.append(Merge(level=levels[number], op=cell.op, inputs=inputs, orphans=tuple(orphans), output=output))  # pyright: ignore[reportArgumentType]
    return tuple(result)


def _wrong(net: Wiring) -> str:
    """What is wrong with the output levels."""
    for level in net.order:
        if level not in net.levels:
            return f"level {level} is none of the pyramid's"
        if net.order.count(level) > 1:
            return f"level {level} is there twice"
    return f"level {next(level for level in net.levels if level not in net.order)} is missing"
