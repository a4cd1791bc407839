"""What `cost` needs to know of a supernet's modules, as structure alone: it imports none of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from torch import nn


class Slot(Protocol):
    """What one decision is set to; shared by every module that reads it."""

    path: str
    active: int
    mixed: Any


class Reading(Protocol):
    """One or several decisions as a module reads them: `slots` in order, each with its number of options in `sizes`."""

    @property
    def slots(self) -> Sequence[Slot]:
        """The decisions' slots."""
        ...

    @property
    def sizes(self) -> Sequence[int]:
        """How many options each decision has."""
        ...

    @property
    def meanings(self) -> Sequence[Any]:
        """What each combination of options means to this module, row-major over the slots."""
        ...

    def index(self) -> int:
        """The active combination's position, row-major over the slots."""
        ...

    def value(self) -> Any:
        """What the active combination means to this module."""
        ...


def readings(module: nn.Module) -> tuple[Reading, ...]:
    """The decisions that `module` itself reads, from its attribute `decisions`; none for a plain module."""
    return getattr(module, "decisions", ())


def slots_of(module: nn.Module) -> dict[str, Slot]:
    """Every slot read anywhere in `module`, by decision path."""
    return {slot.path: slot for part in module.modules() for reading in readings(part) for slot in reading.slots}


def is_elastic(module: nn.Module) -> bool:
    """Whether a region of the module's own weights is active, rather than all of them."""
    return hasattr(module, "regions")


def feature_axis(module: nn.Module) -> int:
    """The dimension of its input whose width an elastic layer slices its weights by: -3 of images, -1 (the last) of vectors."""
    return getattr(module, "feature_axis", 1)


def sets_width(module: nn.Module) -> bool:
    """Whether an elastic layer gives an output of its own width, rather than of its input's."""
    return getattr(module, "sets_width", False)


def shaped_by(module: nn.Module) -> tuple[Reading, ...] | None:
    """The readings of an elastic layer that set the width of its output, which no other decision that it reads changes in size.

    None where a size of the output may depend on the decisions in another way, or nothing is known: run the options and compare.
    """
    return module.shaped_by() if is_elastic(module) else None  # pyright: ignore[reportCallIssue]


def sized_by(module: nn.Module) -> tuple[Reading, ...] | None:
    """The readings that set the sizes of the output of a module without weights, for the third and later dimensions.

    None where nothing is said: run the options and compare.
    """
    return module.sized_by() if hasattr(module, "sized_by") else None  # pyright: ignore[reportCallIssue]


def sums_members(module: nn.Module) -> bool:
    """Whether the module sums the members of a subset, each a module of its own that gets the module's inputs."""
    return bool(readings(module)) and hasattr(module, "members")


def active_children(module: nn.Module) -> Iterator[tuple[nn.Module, bool]]:
    """The children of `module` and whether the decisions it reads leave them active.

    A module that reads decisions tells by `branches()` which of its options, members or first layers they switch on.
    """
    if not readings(module) or not list(module.children()):
        yield from ((child, True) for child in module.children())
    else:
        yield from ((part, active) for _, part, active in module.branches())  # pyright: ignore[reportCallIssue]
