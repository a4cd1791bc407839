"""Accuracy against latency: hypervolume by number of queries, of our NSGA-II, random search and pymoo's NSGA-II."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pymoo.algorithms.moo.nsga2 import NSGA2 as PymooNSGA2
from pymoo.core.problem import Problem
from pymoo.operators.crossover.sbx import SBX
from pymoo.operators.mutation.pm import PM
from pymoo.operators.repair.rounding import RoundingRepair
from pymoo.operators.sampling.rnd import IntegerRandomSampling

from common.objective import Objective, fronts, hypervolume
from common.search.base import Searcher
from common.search.nsga2 import NSGA2
from common.search.random import RandomSearch
from common.space import Arch, decisions
from common.tables.study import front
from common.tables.table import Table

POPULATION = 20
"""Of both NSGA-IIs."""
CHILDREN, REDRAWN = 5, 0.5
"""Of ours: see `NOTE`."""
FRONT_FROM = 1000
"""The first seed."""
GENERATIONS = 1000
"""After so many pymoo's is given up, if it finds nothing new."""
DEVICES = {"nasbench201": ("latency_1080ti_1", "latency_pixel3"), "generated": ("latency",)}
"""Beginning of a table's name -> the latencies to make fronts with: a GPU and a phone."""

NOTE = (
    "What an engine with two objectives has evaluated after so many queries: the table's objective, and latency as the table "
    "has it. The corner of the volume is the table's median accuracy and 1.1 times the greatest latency on its front above "
    f"that. Both NSGA-IIs have a population of {POPULATION} and crossover with probability 0.9; pymoo's has one integer variable "
    "per decision, simulated binary crossover and polynomial mutation with rounding, duplicates eliminated; a genotype that it "
    "proposes again is not counted as a query. Isomorphic cells count as different, for their measured latencies differ.\n\n"
    f"Ours breeds {CHILDREN} children at a time and re-draws {REDRAWN:g} decisions of each on average. That was chosen among "
    "ten pairs of such settings by runs on five other pairs of data set and device (2080 Ti and Eyeriss on CIFAR-10, Pixel 2 "
    "and Titan RTX on CIFAR-100, an FPGA on ImageNet-16-120), where it was ahead of pymoo's at 300 queries by 0.3 to 1.7 of the "
    "front's percent; of ten variants tried before on the devices below, with seeds from 0 on, one re-drew half as often. The "
    f"seeds below, from {FRONT_FROM} on, were used for nothing else."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What a front is made of.

    Attributes:
        objectives: The table's objective and a latency.
        reference: Corner of the volume.
        most: Volume of the table's own front.
    """

    objectives: tuple[Objective, Objective]
    reference: tuple[float, float]
    most: float


def devices(table: Table) -> tuple[str, ...]:
    """Latencies to make fronts of this table with."""
    return next((names for start, names in DEVICES.items() if table.name.startswith(start)), ())


def goal(table: Table, device: str) -> Goal:
    """Objectives and volume: the corner is the table's median accuracy and the greatest latency on the front above that."""
    objectives = (table.objective, Objective(device, "min", "ms"))
    points = np.stack([table.scores[table.fidelity][table.objective.name], table.costs[device]], axis=1)
    best = points[fronts(points, objectives)[0]]
    middle = float(np.median(points[:, 0]))
    reference = (middle, float(best[best[:, 0] > middle, 1].max()) * 1.1)
    return Goal(objectives=objectives, reference=reference, most=hypervolume(best, reference, objectives))


def ours(table: Table, aim: Goal, seed: int) -> Searcher:
    """Every genotype counts, as for pymoo: of isomorphic cells each has latencies of its own."""
    return NSGA2(table.space, aim.objectives, seed=seed, population=POPULATION, children=CHILDREN, redrawn=REDRAWN)


def drawn(table: Table, aim: Goal, seed: int) -> Searcher:
    """Uniform, without repetition."""
    return RandomSearch(table.space, aim.objectives, seed=seed)


def pymoo(table: Table, aim: Goal, at: Sequence[int], seed: int) -> list[float]:
    """Volumes of pymoo's NSGA-II with integer variables after `at` unique queries."""
    known = decisions(table.space)
    found: dict[tuple[int, ...], list[float]] = {}

    class Cells(Problem):
        """The decisions as integers; a genotype seen before is looked up and costs nothing."""

        def __init__(self) -> None:
            upper = np.array([len(decision) - 1 for decision in known.values()])
            super().__init__(n_var=len(known), n_obj=2, xl=np.zeros(len(known), dtype=int), xu=upper, vtype=int)

        def _evaluate(self, x: Any, out: dict[str, Any], *_: Any, **__: Any) -> None:
            losses = []
            for row in x.astype(int).tolist():
                arch = Arch(dict(zip(known, row, strict=True)))
                if tuple(row) not in found:
                    scored = table.evaluator([arch], table.fidelity)[0].values[table.objective.name]
                    found[tuple(row)] = [scored, table.cost(arch)[aim.objectives[1].name]]
                losses.append([o.loss(value) for o, value in zip(aim.objectives, found[tuple(row)], strict=True)])
            out["F"] = np.array(losses)

    algorithm = PymooNSGA2(
        pop_size=POPULATION,
        sampling=IntegerRandomSampling(),
        crossover=SBX(prob=0.9, eta=15, vtype=float, repair=RoundingRepair()),
        mutation=PM(eta=20, vtype=float, repair=RoundingRepair()),
        eliminate_duplicates=True,
    )
    problem = Cells()
    algorithm.setup(problem, termination=("n_gen", GENERATIONS), seed=seed, verbose=False)
    while len(found) < max(at) and algorithm.has_next():
        algorithm.next()
    points = list(found.values())
    return [hypervolume(points[:query], aim.reference, aim.objectives) for query in at]


MADE: dict[str, Callable[[Table, Goal, int], Searcher]] = {"our NSGA-II": ours, "random search": drawn}
METHODS = (*MADE, "pymoo's NSGA-II")


def volumes(method: str, table: Table, aim: Goal, at: Sequence[int], seed: int) -> list[float]:
    """Hypervolume after `at` queries with one seed, as a share of the table's own front."""
    if method not in MADE:
        found = pymoo(table, aim, at, seed)
    else:
        found = front(table, lambda of, number: MADE[method](of, aim, number), [seed], at, aim.reference)[0].tolist()
    return [volume / aim.most for volume in found]
