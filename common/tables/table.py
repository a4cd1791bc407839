"""Benchmark tables: every network of a space, or of a sample of it, with scores that somebody trained for."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.encode import Graph
from common.errors import UserError
from common.objective import Objective
from common.search.base import Number, Scores
from common.space import Arch

Column = NDArray[np.floating] | NDArray[np.integer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table on one data set, as any searcher can use it.

    Attributes:
        name: What is typed, e.g. `nasbench201-cifar10`.
        title: What is printed.
        space: The description with open decisions; every architecture of it has a row.
        objective: What a searcher sees, e.g. the validation accuracy after a short training; a key of every fidelity's columns.
        result: What the found network is judged by and no searcher may see, e.g. the test accuracy after a long one.
        row: Architecture -> its row.
        scores: Fidelity -> metric -> column of shape (rows,); the first fidelity is the one searched at by default.
        epochs: Fidelity -> what one query costs, in epochs of training.
        costs: Metric -> column of shape (rows,), known without training: params, MACs, latencies.
        features: Architecture -> vector for predictors.
        graph: Architecture -> its cell with operations on the nodes; None where networks are not told apart by a cell.
        operations: Every operation that a graph can hold.
        canonical: Isomorphic cells have equal values.
    """

    name: str
    title: str
    space: Any
    objective: Objective
    result: Objective
    row: Callable[[Arch], int]
    scores: Mapping[str, Mapping[str, Column]]
    epochs: Mapping[str, float]
    costs: Mapping[str, Column]
    features: Callable[[Arch], NDArray[np.float32]]
    graph: Callable[[Arch], Graph] | None = None
    operations: Sequence[str] = ()
    canonical: Callable[[Arch], Hashable] | None = None

    @property
    def fidelity(self) -> str:
        """The one searched at by default."""
        return next(iter(self.scores))

    def evaluator(self, archs: Sequence[Arch], fidelity: str) -> list[Scores]:
        """Looks the scores up: an `Evaluator`. Metrics other than the objective are for the reader of the log.

        Raises:
            UserError: The table has no such fidelity.
        """
        if fidelity not in self.scores:
            raise UserError(f"table {self.name} has no fidelity {fidelity!r}: ask for one of {', '.join(self.scores)}")
        columns = self.scores[fidelity]
        rows = [self.row(arch) for arch in archs]
        return [Scores(values={metric: float(column[row]) for metric, column in columns.items()}) for row in rows]

    def cost(self, arch: Arch) -> dict[str, Number]:
        """What the table knows without training: whole numbers where the column holds such."""
        row = self.row(arch)
        return {metric: column[row].item() for metric, column in self.costs.items()}
