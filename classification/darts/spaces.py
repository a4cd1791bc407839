"""The spaces that the methods of the family can search, as plain data. No torch here: `--help` reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from classification.cells.space import FAMILIES, NOISE
from common.errors import UserError, check_least

TABLE_OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
"""The operations of NAS-Bench-201, those of `common.tables.cell`, which `--help` does not wait for."""


EMPTY = ("none", NOISE)
"""Operations whose output has nothing of their input."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceSettings:
    """The supernet that is searched: a stack of the cells of DARTS."""

    name: Literal["darts"] = "darts"
    nodes: int = 4
    """Nodes of a cell."""
    width: int = 16
    """Channels of a node in the first cells."""
    cells: int = 8
    """Cells; those after a third and two thirds of them halve the resolution."""
    partial: int = 1
    """An edge's operation sees 1 channel of so many (PC-DARTS)."""
    family: Literal["darts", "nasnet", "amoebanet", "pnas", "enas"] = "darts"
    """Whose operations are on every edge. Families differ in nothing else: `nodes` is a setting of its own (DARTS's paper has 4,
    the others 5), and all nodes are concatenated (in three of the papers only those that no other node reads)."""
    operations: tuple[str, ...] = ()
    """Operations on every edge; none: those of the family. Two of them, or with `noise`, make the spaces S2 to S4 of Zela et al.
    (arXiv 1909.09656)."""
    inputs: int = 2
    """Inputs that a node has at least; 0 in FairDARTS. It has two at most."""
    skip_dropout: float = 0.0
    """Dropout behind skip connections, at the beginning of the search; it falls with each snapshot, P-DARTS's epoch."""
    merged: bool = False
    """Kernels of the separable and dilated convolutions of an edge are merged into one in a search (MergeNAS)."""
    gated: bool = False
    """Cells of GOLD-NAS: every cell has decisions of its own, a node any operations on any of its inputs."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: a value is out of range.
        """
        check_least(self, "space", ("nodes", "cells", "width", "partial"), 1)
        if not 0 <= self.inputs <= 2:
            raise UserError(f"space.inputs={self.inputs}: a node of the cells of DARTS has up to two; give 0, 1 or 2")
        if not 0 <= self.skip_dropout < 1:
            raise UserError(f"space.skip_dropout={self.skip_dropout}: give a probability from 0 to below 1")
        if self.cells < 3 and not self.gated:
            raise UserError(f"space.cells={self.cells}: a stack of fewer than 3 cells has no normal cell; give 3")
        if self.gated and self.inputs != 2:
            raise UserError(f"space.inputs={self.inputs} with gated: a node takes any inputs; leave it 2")
        if self.operations and self.family != "darts":
            raise UserError(f"space.family={self.family} with operations: these take the place of the family's; give one of both")
        check_operations(self.names, tuple({name: None for names in (*FAMILIES.values(), (NOISE,)) for name in names}))

    @property
    def names(self) -> tuple[str, ...]:
        """The operations on every edge."""
        return self.operations or FAMILIES[self.family]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSpaceSettings:
    """The supernet that is searched: NAS-Bench-201's, of whose cells a table knows the accuracy."""

    name: Literal["nasbench201"] = "nasbench201"
    width: int = 16
    """Channels of the first of three stages."""
    cells: int = 5
    """Cells of a stage."""
    operations: tuple[str, ...] = TABLE_OPERATIONS
    """Operations on every edge."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: a value is out of range.
        """
        check_least(self, "space", ("cells", "width"), 1)
        check_operations(self.operations, TABLE_OPERATIONS)

    @property
    def names(self) -> tuple[str, ...]:
        """The operations on every edge."""
        return self.operations


def check_operations(operations: tuple[str, ...], known: Sequence[str]) -> None:
    """Refuses operations that a space does not have.

    Raises:
        UserError: names the operation.
    """
    if not operations or len(set(operations)) < len(operations):
        raise UserError(f"space.operations={list(operations)}: give one or more, each once, of {', '.join(known)}")
    if set(operations) <= set(EMPTY):
        raise UserError(f"space.operations={list(operations)}: nothing passes an input on; give one more of {', '.join(known)}")
    if odd := [name for name in operations if name not in known]:
        raise UserError(f"space.operations: {odd[0]!r} is no operation of the space; choose among {', '.join(known)}")
