"""Tables without a file: a small one for tests and demonstrations, and a huge space to time searches on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import exp
from typing import Any

import numpy as np

from common.encode import Encoder
from common.errors import UserError
from common.objective import Objective
from common.search.base import Scores
from common.space import Arch, OneOf
from common.streams import numpy_stream
from common.tables.cell import EDGES, NODES, NONE, SKIP, Cell, expression, lookups, space
from common.tables.columns import Lookup, check_columns
from common.tables.table import Table

CONV = "nor_conv_3x3"
OPS = (NONE, SKIP, CONV)

_GAIN = {NONE: 0.0, SKIP: 0.5, CONV: 1.5}
_SERIAL = {(CONV, CONV): 0.6, (CONV, SKIP): 0.2, (SKIP, CONV): 0.2, (SKIP, SKIP): -0.4}
_PARALLEL = {frozenset((SKIP, CONV)): 0.9, frozenset((CONV,)): -0.6, frozenset((SKIP,)): -0.3}
_CHANCE, _CEILING, _SPAN = 10.0, 95.0, 12.0
_FIDELITIES = {"4 epochs": (4.0, 8.0, 2.0), "12 epochs": (12.0, 3.0, 1.0), "36 epochs": (36.0, 0.0, 0.4)}  # epochs, bias, noise
_TEST_NOISE = 0.15
_SKELETON_PARAMS, _CONV_PARAMS = 10_000, 9_000
_SKELETON_MS, _MS = 1.0, {NONE: 0.0, SKIP: 0.1, CONV: 0.8}


def accuracy(cell: Cell) -> float:
    """What a cell of `OPS` is worth before any noise, in percent: made up, but with the shape of a real table.

    q is the sum of what each edge gives by itself, of what operations in a row give (two convolutions more than one by one,
    two skips less), and of what operations into the same node give (a skip beside a convolution more, equal ones less); the
    accuracy is 95 - 12 exp(-q / 4). Pairs make it differ from every additive function. A cell whose output does not depend on
    its input is at chance, 10.

    >>> accuracy(Cell(("none",) * 6))
    10.0
    """
    if "0" not in expression(cell):
        return _CHANCE
    edges = list(zip(EDGES, cell.edges, strict=True))
    quality = sum(_GAIN[op] for _, op in edges)
    for i, ((_, b), op) in enumerate(edges):
        for (c, d), other in edges[i + 1 :]:
            if b == c:
                quality += _SERIAL.get((op, other), 0.0)
            elif b == d:
                quality += _PARALLEL.get(frozenset((op, other)), 0.0)
    return _CEILING - _SPAN * exp(-quality / 4)


def generated(seed: int = 0) -> Table:
    """A table of 729 cells: six edges with three operations; 127 are left where isomorphic ones count as one.

    Cells that are isomorphic in the sense of `cell.expression` share the noiseless accuracy of the first of them; each row has
    noise of its own, as if each had been trained. `valid` is lower and noisier at shorter fidelities; `test` is the same at all.
    Costs: `params`; `latency` in ms.

    Args:
        seed: Of the noise; the noiseless accuracies are the same for all.
    """
    cells = [Cell(edges) for edges in product(OPS, repeat=len(EDGES))]
    known = lookups(OPS)
    clean = np.array([accuracy(cells[first]) for first in known.first.items if first is not None])
    trained = clean > _CHANCE

    def noisy(name: str, bias: float, std: float) -> Any:
        noise = numpy_stream(seed, "generated", name).normal(0.0, std, len(cells))
        return np.where(trained, clean - bias + noise, _CHANCE).clip(0.0, 100.0)

    test = noisy("test", 0.5, _TEST_NOISE)
    scores = {name: {"valid": noisy(name, bias, std), "test": test} for name, (_, bias, std) in _FIDELITIES.items()}
    costs = {
        "params": np.array([_SKELETON_PARAMS + _CONV_PARAMS * cell.edges.count(CONV) for cell in cells]),
        "latency": np.array([_SKELETON_MS + sum(_MS[op] for op in cell.edges) for cell in cells]),
    }
    for columns in (*scores.values(), costs):
        check_columns("generated", columns, len(cells))
    opened = space(OPS)
    return Table(
        name="generated",
        title="Generated cells",
        space=opened,
        objective=Objective("valid", "max", "%"),
        result=Objective("test", "max", "%"),
        row=Lookup(Encoder(opened).paths, (len(OPS),) * len(EDGES), range(len(cells))),
        scores=scores,
        epochs={name: epochs for name, (epochs, _, _) in _FIDELITIES.items()},
        costs=costs,
        features=known.features,
        graph=known.graph,
        operations=(*NODES, *OPS),
        canonical=known.canonical,
    )


@dataclass(frozen=True, slots=True)
class Additive:
    """A space of any size whose scores are computed, not stored: to time what a search itself costs.

    Attributes:
        space: A tuple of decisions, all alike.
        objective: `valid`: the sum of what each option taken is worth, to be maximised.
        worth: Decision path -> worth of each option.
    """

    space: Any
    objective: Objective
    worth: dict[str, tuple[float, ...]]

    def evaluator(self, archs: Sequence[Arch], fidelity: str) -> list[Scores]:
        """Adds up: an `Evaluator`; every fidelity gives the same."""
        return [Scores(values={"valid": sum(self.worth[path][index] for path, index in arch.items())}) for arch in archs]

    @property
    def best(self) -> float:
        """The greatest score there is."""
        return sum(max(options) for options in self.worth.values())


def additive(decisions: int = 12, options: int = 6, seed: int = 0) -> Additive:
    """A space of options^decisions architectures; each option is worth a uniform number from 0 to 1.

    Raises:
        UserError: No decisions or no options.
    """
    if decisions < 1 or options < 1:
        raise UserError(f"an additive space of {decisions} decisions with {options} options: give at least one of each")
    opened = tuple(OneOf(*range(options)) for _ in range(decisions))
    worth = numpy_stream(seed, "additive").uniform(size=(decisions, options)).tolist()
    paths = Encoder(opened).paths
    return Additive(opened, Objective("valid", "max"), {path: tuple(row) for path, row in zip(paths, worth, strict=True)})
