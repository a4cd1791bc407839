"""What is searched, and what is trained alone, as plain data. No torch here: `--help` reads it."""

from __future__ import annotations

from dataclasses import dataclass
from math import lcm

from binary.cells.space import FORMS, SHUFFLED, Form, Precision
from common.errors import UserError, check_least


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceSettings:
    """The supernet that is searched: a stack of cells with the wiring of DARTS."""

    form: Form
    """Layers of the cells: kim (plain and dilated convolutions), separable (those of DARTS) or grouped (BATS)."""
    operations: tuple[str, ...] = ()
    """Operations on every edge; none: all of the form."""
    nodes: int = 4
    """Nodes of a cell."""
    width: int = 16
    """Channels of a node in the first cells."""
    cells: int = 8
    """Cells; those after a third and two thirds of them halve the resolution."""
    partial: int = 1
    """An edge's operation sees 1 channel of so many (PC-DARTS)."""
    groups: int = 12
    """Groups of the convolutions of the form grouped, in the search and after it; they divide both widths."""
    precision: Precision = "binary"
    """What is binary in the search; activations alone leave weights real, weights alone leave activations real. Networks that
    are trained alone are binary."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: a value is out of range.
        """
        check_least(self, "space", ("nodes", "width", "partial", "groups"), 1)
        if self.cells < 3:
            raise UserError(f"space.cells={self.cells}: a stack of fewer than 3 cells has no normal cell; give 3")
        known = FORMS[self.form]
        if odd := [name for name in self.operations if name not in known]:
            raise UserError(f"space.operations: {odd[0]!r} is no operation of form {self.form}; choose among {', '.join(known)}")
        if self.groups != 12 and self.form != "grouped":
            raise UserError(f"space.groups={self.groups}: it is of the form grouped, and this one is {self.form}; leave it 12")
        if len(set(self.operations)) < len(self.operations) or set(self.names) <= {"none"}:
            raise UserError(f"space.operations={list(self.operations)}: give one or more besides none, each once")

    @property
    def names(self) -> tuple[str, ...]:
        """The operations on every edge."""
        return self.operations or FORMS[self.form]


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSettings:
    """The network in which cells are trained alone and measured."""

    width: int = 36
    """Channels of a node in the first cells."""
    cells: int = 20
    """Cells; those after a third and two thirds of them halve the resolution."""
    drop_path: float = 0.2
    """Probability at the end of training that a sample is dropped on an edge; it rises linearly from 0."""
    kernels: float = 0.0
    """Weight of CP-NAS's loss: squared distances of weights from their binary values, and of maps from those of their class."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: a value is out of range.
        """
        check_least(self, "network", ("width",), 1)
        if self.cells < 3:
            raise UserError(f"network.cells={self.cells}: a stack of fewer than 3 cells has no normal cell; give 3 or more")
        if not 0 <= self.drop_path < 1:
            raise UserError(f"network.drop_path={self.drop_path}: give a probability from 0 to below 1")
        if self.kernels < 0:
            raise UserError(f"network.kernels={self.kernels}: give 0 or more")


def check_groups(name: str, width: int, space: SpaceSettings) -> None:
    """Refuses a width whose channels cannot be grouped and shuffled.

    Raises:
        UserError: names the setting and the least width that can be.
    """
    if space.form != "grouped":
        return
    least = lcm(space.groups, SHUFFLED, 2) * (space.partial if name == "space.width" else 1)
    if width % least:
        raise UserError(
            f"{name}={width}: convolutions of {space.groups} groups, and {SHUFFLED} groups of channels that are shuffled, need a "
            f"multiple of {least}; give one, or other space.groups"
        )
