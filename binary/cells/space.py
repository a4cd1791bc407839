"""Cells of binary networks as data: the wiring is that of DARTS (1806.09055), the layers are those of one of three papers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from classification.cells import space as real
from classification.cells.space import OPERATIONS, Genotype, open_cell

Form = Literal["kim", "separable", "grouped"]
Precision = Literal["binary", "activations", "weights", "real"]

FORMS: Mapping[Form, tuple[str, ...]] = {
    "kim": (
        "none",
        "max_pool_3x3",
        "avg_pool_3x3",
        "bin_dil_conv_3x3",
        "bin_dil_conv_5x5",
        "bin_conv_3x3",
        "bin_conv_5x5",
    ),
    "separable": OPERATIONS,
    "grouped": OPERATIONS,
}
"""Name of the layers -> operations on every edge, in the order of the released code.

kim: BNAS (Kim et al., 2002.06963, section 4.1), without separable convolutions. separable: the operations of DARTS with binary
convolutions (CP-NAS, 2005.00057, section 3.1; BNAS of the Beihang group, 1911.10862). grouped: BATS (2003.01711, section 3.1),
whose operations have the names of DARTS and one grouped convolution each.
"""


SHUFFLED = 4
"""Groups of channels that are interleaved behind a convolution of the form grouped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Network(real.Network):
    """A stack of cells; see `classification.cells.space.Network`. It ends with linear layers of real weights, and begins so."""

    form: Form = "kim"
    """Layers of the cells."""
    groups: int = 12
    """Groups of the convolutions of the form `grouped`."""
    precision: Precision = "binary"
    """What is binary: both weights and activations, one of them, or nothing. Networks that are trained alone are binary."""
    paired: bool = False
    """Whether the same network with real weights and activations learns beside it, its parent in CP-NAS."""


def binary_space(
    *,
    form: Form,
    operations: Sequence[str] = (),
    nodes: int = 4,
    width: int = 16,
    cells: int = 8,
    classes: int = 10,
    partial: int = 1,
    groups: int = 12,
    precision: Precision = "binary",
    paired: bool = False,
) -> Network:
    """The open network that is searched.

    Args:
        form: layers of its cells.
        operations: on every edge; none: all of the form.
        nodes: nodes of a cell.
        width: channels of a node in the first cells.
        cells: how many.
        classes: of images.
        partial: an operation sees 1 channel of so many.
        groups: of the convolutions of the form `grouped`.
        precision: what is binary.
        paired: see `Network`.
    """
    cell = open_cell(nodes, operations or FORMS[form])
    return Network(
        normal=cell,
        reduction=cell,
        width=width,
        cells=cells,
        classes=classes,
        affine=False,
        pool_norm=True,
        partial=partial,
        form=form,
        groups=groups,
        precision=precision,
        paired=paired,
    )


def standalone(
    genotype: Genotype, form: Form, skeleton: str = "cifar", *, width: int = 0, cells: int = 0, classes: int = 0, groups: int = 12
) -> Network:
    """The network in which cells are trained alone; numbers that are 0 are those of the skeleton.

    Raises:
        UserError: no such skeleton.
    """
    alike = real.standalone(genotype, skeleton)
    return Network(
        normal=genotype.normal,
        reduction=genotype.reduction,
        width=width or alike.width,
        cells=cells or alike.cells,
        classes=classes or alike.classes,
        skeleton=skeleton,
        form=form,
        groups=groups,
    )


def alone(space: Network, *, width: int, cells: int) -> Network:
    """The network of a searched one's cells, open or settled, as it is trained alone."""
    return replace(
        space,
        width=width,
        cells=cells,
        affine=True,
        pool_norm=False,
        partial=1,
        precision="binary",
        paired=False,
    )
