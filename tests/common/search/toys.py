"""Toy spaces, objectives and searchers for the contract tests of searchers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

import numpy as np

from common.objective import Objective
from common.predict.base import Fitted, Prediction, check
from common.predict.nao_model import NAOModel
from common.search.aging_evolution import AgingEvolution
from common.search.base import Scores, Searcher
from common.search.econas import EcoNAS
from common.search.exhaustive import Exhaustive
from common.search.genetic import GeneticAlgorithm
from common.search.hierarchical_evolution import TournamentEvolution
from common.search.local_search import LocalSearch
from common.search.nao import NAO
from common.search.npenas import NPENAS
from common.search.nsga2 import NSGA2
from common.search.pnas import PNAS, by_decisions
from common.search.policy_lstm import LSTM
from common.search.random import RandomSearch
from common.search.reinforce import Reinforce
from common.search.successive_halving import SuccessiveHalving
from common.search.topk_evolution import TopKEvolution
from common.space import Arch, ManyOf, OneOf, Repeat, Where, decisions, enumerate_all, sample


@dataclass(frozen=True)
class Conv:
    kernel: Any
    groups: Any = 1


@dataclass(frozen=True)
class Pool:
    size: Any


BLOCK = OneOf(Conv(OneOf(3, 5, 7), OneOf(1, 2)), Pool(OneOf(2, 3)), None)

SPACES: dict[str, Any] = {
    "flat": tuple(OneOf(*"abcd") for _ in range(4)),
    "nested": {"stem": OneOf(8, 16), "first": BLOCK, "second": BLOCK},
    "subset": (ManyOf(["a", "b", "c", "d"], 0, 4), ManyOf([BLOCK, "x"], 1, 2)),
    "repeat": Repeat(OneOf("a", "b", "c"), OneOf(1, 2, 4)),
    "where": Where(tuple(OneOf(1, 2, 3) for _ in range(4)), lambda v: sum(v) <= 7, "sum at most 7"),
    "single": (OneOf("only"), 3),
}

HIT, SIZE = Objective("hit"), Objective("size", "min")


def distance(a: Arch, b: Arch) -> int:
    """In how many decisions two architectures differ."""
    return len({path for path, _ in a.items() ^ b.items()})


def scores(target: Arch, arch: Arch) -> Scores:
    """Every seventh architecture fails, so that failures are a part of every contract."""
    if int(arch.fingerprint, 16) % 7 == 0:
        return Scores(status="failed", error="unlucky")
    return Scores(values={"hit": -float(distance(target, arch)), "size": float(sum(arch.values()))})


def evaluator(space: Any):
    """A hit is minus the number of decisions that differ from one target."""
    target = sample(space, Random(7))
    return lambda archs, fidelity: [scores(target, arch) for arch in archs]


BOTH: Sequence[Objective] = (HIT, SIZE)


class Nearest:
    """The score of the nearest architecture seen, and its distance as the uncertainty: a predictor that costs nothing."""

    def fit(self, archs: Sequence[Arch], scores: Sequence[float], seed: int) -> Fitted:
        check(archs, scores)
        known = list(zip(archs, scores, strict=True))

        def predict(archs: Sequence[Arch]) -> Prediction:
            near = [min((distance(arch, seen), score) for seen, score in known) for arch in archs]
            return Prediction(np.array([score for _, score in near]), np.array([float(d) for d, _ in near]))

        return predict


def pnas(space: Any, objectives: Sequence[Objective], **settings: Any) -> PNAS:
    """Every fourth decision of the space in one level, the next ones in the next."""
    paths = list(decisions(space))
    groups = [paths[i::4] for i in range(min(4, len(paths)))]
    levels = by_decisions(space, groups, next(enumerate_all(space)))
    return PNAS(space, objectives, levels=levels, predictor=Nearest(), first=4, beam=5, **settings)


def nao(space: Any, objectives: Sequence[Objective], **settings: Any) -> Searcher:
    """NAO with a model that hardly learns."""
    model = NAOModel(space, embedding=4, hidden=4, widths=(), steps=1)
    return NAO(space, objectives, model=model, first=8, later=12, seeds=4, ascents=1, **settings)


MADE: dict[str, Callable[..., Searcher]] = {
    "random": RandomSearch,
    "exhaustive": Exhaustive,
    "topk": partial(TopKEvolution, population=10, mutants=4, crossovers=4, parents=3),
    "genetic": partial(GeneticAlgorithm, population=8, elite=2),
    "genetic_repaired": partial(
        GeneticAlgorithm, population=8, elite=0, crossing=0.5, excess=lambda arch: sum(arch.values()) - 6
    ),
    "aging": partial(AgingEvolution, population=8, tournament=3),
    "aging_parallel": partial(AgingEvolution, population=8, tournament=3, children=3),
    "nsga2": partial(NSGA2, population=6),
    "nsga2_steady": partial(NSGA2, population=6, children=2, crossing=0.5, redrawn=0.5),
    "reinforce": partial(Reinforce, children=2, rate=0.1, draws=4),
    "reinforce_lstm": partial(
        Reinforce, policy=LSTM(hidden=4), children=8, rate=0.05, draws=2, entropy=0.01, clip=0.2, epochs=2, power=3.0
    ),
    "local": LocalSearch,
    "local_best": partial(LocalSearch, move="best", children=3, starts=2),
    "tournament": partial(TournamentEvolution, population=8, share=0.3, children=2),
    "tournament_from_one": lambda space, objectives, **settings: TournamentEvolution(
        space, objectives, origin=next(enumerate_all(space)), population=8, diversify=6, **settings
    ),
    "econas": partial(EcoNAS, initial=6, continued=(3, 2), parents=(2, 2, 1), patience=4),
    "halving": partial(SuccessiveHalving, fidelities=("0.5", "full"), initial=6),
    "halving_bred": partial(SuccessiveHalving, fidelities=("0.5", "full"), initial=6, parents=2),
    "npenas": partial(NPENAS, predictor=Nearest(), first=4, later=3, candidates=8, parents=3),
    "npenas_bo": partial(NPENAS, predictor=Nearest(), first=4, later=3, candidates=8, parents=3, acquisition="thompson"),
    "nao": nao,
    "pnas": pnas,
}
"""Every searcher, its populations small enough for the toy spaces to see several generations."""

SEARCHERS = list(MADE)


def small(name: str, space: Any, **settings: Any) -> Searcher:
    """The named searcher on a toy space."""
    return MADE[name](space, BOTH, **settings)
