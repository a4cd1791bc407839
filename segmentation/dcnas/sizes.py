"""Named sizes of the search, from the paper's down to one for tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from segmentation.dcnas.space import SKIP, Network, dcnas_space, neighbour_space, with_inputs


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """A space, and what its networks are counted on."""

    space: Callable[[], Network]
    image: tuple[int, int]
    """Height and width in pixels."""
    classes: int
    head: int
    """Channels of the decode head."""


_SMOKE = {"layers": 4, "width": 8, "strides": (2, 4, 8), "operators": ("ir_k3_e3", "ir_k5_e3", "ir_k3_e6", SKIP), "partial": 2}
_SMALL = {"layers": 8, "width": 16}

SIZES: dict[str, Size] = {
    "smoke": Size(space=partial(dcnas_space, **_SMOKE), image=(64, 64), classes=11, head=32),
    "small": Size(space=partial(dcnas_space, **_SMALL), image=(180, 240), classes=11, head=64),
    "paper": Size(space=dcnas_space, image=(512, 1024), classes=19, head=256),
    "small-neighbour": Size(space=partial(neighbour_space, **_SMALL), image=(180, 240), classes=11, head=64),
    "paper-neighbour": Size(space=neighbour_space, image=(512, 1024), classes=19, head=256),
}
"""`smoke` for the embedded scenes, `small` for CamVid at 240x180, `paper` for Cityscapes; all but `paper`'s image are
our own [R].

`-neighbour` is Auto-DeepLab's grid, at 12 layers for the paper's size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceSettings:
    """What is searched: one of the named sizes, and what of it is changed."""

    size: str
    """smoke, small, paper, small-neighbour or paper-neighbour."""
    inputs: int | None = None
    """Most inputs of a cell of an architecture: the k of the derivation's top-k rule. [R] By default that of the size, 2."""
    width: int | None = None
    """Channels at the finest stride; by default those of the size."""
    partial: int | None = None
    """In the search a cell's operator sees 1 channel of so many; 1 samples none. [R] By default that of the size."""

    def open(self) -> Network:
        """The open description.

        Raises:
            UserError: `inputs` is below 1.
        """
        net = SIZES[self.size].space()
        net = net if self.inputs is None else with_inputs(net, self.inputs)
        return replace(net, width=self.width or net.width, partial=self.partial or net.partial)
