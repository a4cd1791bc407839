"""Four searches for cells of binary networks, as a declaration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import tyro

from binary.cells.methods import METHODS
from binary.cells.recipes import RECIPES
from binary.cells.settings import Settings
from binary.cells.space import Form
from binary.settings import common_notes
from common.deferred import Deferred
from common.options import DescribeOptions, without_default
from common.system import System


@dataclass(frozen=True, slots=True, kw_only=True)
class Describing(DescribeOptions):
    """Options of `describe bnas-kim`."""

    arch: Annotated[str, tyro.conf.arg(metavar="ARCH")]
    """A published name (A and D to H of BNAS, DDPNAS_MCN_2), an architecture file (arch.json), or a genotype as text."""
    form: Annotated[Form | None, without_default("NAME")] = None
    """Layers of the cells of a genotype, or of a file outside of its run: kim, separable (CP-NAS and BNAS of Chen et al.) or
    grouped (BATS). Operations that begin with bin_ are of kim; others have no default."""
    skeleton: Annotated[str | None, without_default("NAME")] = None
    """Network around the cells of a genotype: cifar (36 channels, 20 cells; the default) or imagenet (48 channels, 14 cells)."""


SEARCHED = {
    "binary": "binary weights and activations",
    "activations": "binary activations and real weights",
    "weights": "binary weights and real activations",
    "real": "real weights and activations",
}


def notes(settings: Settings) -> list[str]:
    """What a reader of the report must know."""
    abandons = "Weights learn from the training split; what is abandoned is chosen on validation images."
    beside = ", beside a parent with real weights and activations" if settings.paired else ""
    return [
        *common_notes(settings),
        f"The supernet has {SEARCHED[settings.space.precision]}{beside}; the networks of its cells that are trained alone are "
        "binary, but for their first convolution, their classifier, and in BNAS (Kim et al.) the shortcuts between cells where "
        "the resolution halves.",
        "A cell whose operations are all none gives the same for every image, but for shortcuts between cells.",
        abandons if settings.abandons else "The search learns from the training split alone.",
    ]


HERE = "binary.cells"

SYSTEM = System(
    name="bnas-kim",
    task=Deferred("binary.task", "BinaryTask"),
    settings=Settings,
    methods=tuple(method.declared(name, RECIPES[name]) for name, method in METHODS.items()),
    networks=Deferred(f"{HERE}.networks", "networks"),
    phases=Deferred(f"{HERE}.phases", "phases"),
    build=Deferred(f"{HERE}.model", "build"),
    spaces=Deferred(f"{HERE}.networks", "spaces"),
    example=Deferred(f"{HERE}.networks", "example"),
    published=Deferred(f"{HERE}.networks", "published"),
    describe=Deferred(f"{HERE}.names", "describe"),
    check=Deferred(f"{HERE}.phases", "check"),
    stages=Deferred("binary.stages", "stages"),
    notes=notes,
    describing=Describing,
)
"""BNAS, the other BNAS, CP-NAS and BATS: `describe` knows the published cells of all of them."""
