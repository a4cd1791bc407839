"""Published cells of binary networks (published.json), in the networks that their papers train."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from binary.cells.space import FORMS, Form, Network, standalone
from classification.cells.genotypes import from_rows


@dataclass(frozen=True, slots=True)
class Size:
    """A published network."""

    cell: str
    """Name in published.json."""
    width: int
    """Channels of a node in the first cells."""
    cells: int
    costs: Mapping[str, int]
    """What it costs, by count."""


SIZES = {
    "A": Size("A", 36, 20, {"params": 5_578_252, "bops": 696_729_600, "macs": 87_926_400}),
    "D": Size("D", 64, 12, {"params": 28_407_560, "bops": 2_931_884_032, "macs": 304_087_040}),
    "E": Size("D", 68, 12, {"params": 31_997_890}),
    "F": Size("D", 68, 15, {}),
    "G": Size("D", 74, 11, {}),
    "H": Size("D", 128, 16, {}),
    "DDPNAS_MCN_2": Size("DDPNAS_MCN_2", 108, 10, {}),
}
"""Name -> network: A to H of BNAS (Kim et al., 2002.06963, table 3), and one of DCP-NAS. The released logs print the parameters
of A; the other counts are those of the definitions."""


@cache
def rows() -> Mapping[str, Mapping[str, Any]]:
    """Name of a cell -> form, skeleton and rows of its genotype."""
    found: Mapping[str, Mapping[str, Any]] = json.loads((Path(__file__).parent / "published.json").read_text(encoding="utf-8"))
    return found


def published_network(name: str) -> Network:
    """The settled network of a name in `SIZES`."""
    size, data = SIZES[name], rows()[SIZES[name].cell]
    form: Form = data["form"]
    return standalone(from_rows(data, name, FORMS[form], whole=True), form, data["skeleton"], width=size.width, cells=size.cells)
