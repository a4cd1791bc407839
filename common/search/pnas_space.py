"""The cells of PNAS and their levels (Liu et al. 2018, https://arxiv.org/abs/1712.00559, sections 3.1 and 4.1)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations_with_replacement, product
from typing import Any

from common.errors import UserError
from common.search.pnas import Levels
from common.space import Arch, OneOf

OPS = (
    "sep_conv_3x3",
    "sep_conv_5x5",
    "sep_conv_7x7",
    "conv_1x7_7x1",
    "identity",
    "avg_pool_3x3",
    "max_pool_3x3",
    "dil_conv_3x3",
)
"""The operations of a block."""


@dataclass(frozen=True, slots=True)
class Block:
    """`op1(in1) + op2(in2)`.

    Attributes:
        in1: Input of the first operation: 0 the cell before the last, 1 the last cell, 2 the first block of this cell, ...
        in2: Input of the second operation.
        op1: First operation, one of `OPS`.
        op2: Second operation.
    """

    in1: Any
    in2: Any
    op1: Any
    op2: Any


@dataclass(frozen=True, slots=True)
class Cell:
    """A block, and the rest of the cell: a chain, since the inputs of a block depend on how many come before it.

    A decision thereby has the same path in cells of any number of blocks, and predictors learn from small cells about larger
    ones. The outputs of all blocks are concatenated; a network's cells are equal, those that reduce have stride 2.

    Attributes:
        block: The next block.
        then: The cell that goes on, or None at its end.
    """

    block: Any
    then: Any = None


def cell_space(blocks: int = 5) -> Cell:
    """Every cell of 1 to `blocks` blocks.

    Uniform draws of each decision end half of the cells at each block: random cells are mostly small.

    Raises:
        UserError: Fewer than one block.
    """
    if blocks < 1:
        raise UserError(f"PNAS cells of {blocks} blocks: give at least 1")
    cell: Cell | None = None
    for before in reversed(range(blocks)):
        inputs = OneOf(*range(2 + before))
        cell = Cell(Block(inputs, inputs, OneOf(*OPS), OneOf(*OPS)), None if cell is None else OneOf(None, cell))
    assert cell is not None
    return cell


def cell_of(blocks: Sequence[Block]) -> Cell:
    """The settled cell that consists of these blocks.

    Raises:
        UserError: There are none.
    """
    if not blocks:
        raise UserError("a PNAS cell of no blocks: give at least 1")
    cell: Cell | None = None
    for block in reversed(blocks):
        cell = Cell(block, cell)
    assert cell is not None
    return cell


def blocks_of(cell: Cell) -> tuple[Block, ...]:
    """The blocks of a settled cell, in their order."""
    found: list[Block] = []
    part: Cell | None = cell
    while part is not None:
        found.append(part.block)
        part = part.then
    return tuple(found)


PNASNET5 = cell_of(
    [
        Block(0, 0, "sep_conv_5x5", "max_pool_3x3"),
        Block(1, 1, "sep_conv_7x7", "max_pool_3x3"),
        Block(1, 1, "sep_conv_5x5", "sep_conv_3x3"),
        Block(4, 1, "sep_conv_3x3", "max_pool_3x3"),
        Block(0, 1, "sep_conv_3x3", "identity"),
    ]
)
"""The cell found in the paper (figure 2)."""

Choice = tuple[int, int, int, int]
"""The options taken at in1, in2, op1 and op2 of a block."""


@lru_cache
def _paths(i: int) -> tuple[str, str, str, str]:
    """Where block i's decisions are."""
    block = "then[Cell]." * i + "block."
    return block + "in1", block + "in2", block + "op1", block + "op2"


@lru_cache
def _then(i: int) -> str:
    """Where it is decided whether a block follows block i."""
    return "then[Cell]." * i + "then"


def unique_blocks(inputs: int) -> list[Choice]:
    """The blocks over this many inputs, one for each unordered pair of (input, operation): C(8 * inputs + 1, 2)."""
    pairs = product(range(inputs), range(len(OPS)))
    return [(in1, in2, op1, op2) for (in1, op1), (in2, op2) in combinations_with_replacement(pairs, 2)]


@dataclass(frozen=True, slots=True)
class Cells:
    """Everything that a searcher and a predictor need for `cell_space(blocks)`.

    Attributes:
        blocks: Most blocks of a cell, 5 in the paper.
    """

    blocks: int = 5

    @property
    def space(self) -> Cell:
        """The description with open decisions."""
        return cell_space(self.blocks)

    @property
    def vocabulary(self) -> int:
        """How many tokens there are: one for each input and each operation, whatever the block."""
        return self.blocks + 1 + len(OPS)

    def levels(self) -> Levels:
        """Level b decides block b: the 136 unique cells of one block, then 300, 528, 820 and 1176 expansions of each."""
        return Levels(count=self.blocks, first=lambda: (self.arch([block]) for block in unique_blocks(2)), expand=self.expand)

    def expand(self, arch: Arch, level: int) -> Iterator[Arch]:
        """Every cell with block number `level` (from 1) added to `arch`, or replaced if it has one; nothing if it is shorter."""
        before = self.choices(arch)
        if level <= min(len(before) + 1, self.blocks):
            for block in unique_blocks(level + 1):
                yield self.arch((*before[: level - 1], block, *before[level:]))

    def canonical(self, arch: Arch) -> tuple[Choice, ...]:
        """Equal for cells that differ in the order of the two (input, operation) pairs of their blocks only.

        As in the paper; that some blocks can be numbered in another order is left aside.
        """
        return tuple(
            (in1, in2, op1, op2) if (in1, op1) <= (in2, op2) else (in2, in1, op2, op1)
            for in1, in2, op1, op2 in self.choices(arch)
        )

    def tokens(self, arch: Arch) -> list[int]:
        """Four tokens for each block, those of its inputs and of its operations, in canonical order (section 4.2)."""
        shift = self.blocks + 1
        return [t for in1, in2, op1, op2 in self.canonical(arch) for t in (in1, in2, shift + op1, shift + op2)]

    def arch(self, choices: Sequence[Choice]) -> Arch:
        """The architecture with these options in its blocks."""
        taken: dict[str, int] = {}
        for i, choice in enumerate(choices):
            taken.update(zip(_paths(i), choice, strict=True))
            if i + 1 < self.blocks:
                taken[_then(i)] = int(i + 1 < len(choices))
        return Arch(taken)

    def choices(self, arch: Arch) -> tuple[Choice, ...]:
        """The options that an architecture takes in each of its blocks."""
        found: list[Choice] = []
        for i in range(self.blocks):
            in1, in2, op1, op2 = _paths(i)
            found.append((arch[in1], arch[in2], arch[op1], arch[op2]))
            if not arch.get(_then(i)):
                break
        return tuple(found)

    def encode(self, cell: Cell) -> Arch:
        """The architecture that decodes to a settled cell.

        Raises:
            UserError: It has too many blocks, an unknown operation, or a block that reads itself or a later one.
        """
        blocks = blocks_of(cell)
        if len(blocks) > self.blocks:
            raise UserError(f"a PNAS cell of {len(blocks)} blocks in a space of at most {self.blocks}: enlarge the space")
        for i, block in enumerate(blocks):
            if not {block.in1, block.in2} <= set(range(2 + i)) or not {block.op1, block.op2} <= set(OPS):
                raise UserError(f"block {i} of a PNAS cell is {block}: it may read 0 to {1 + i} and apply {', '.join(OPS)}")
        return self.arch([(b.in1, b.in2, OPS.index(b.op1), OPS.index(b.op2)) for b in blocks])
