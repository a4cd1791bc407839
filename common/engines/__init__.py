"""Search engines as settings: one file an engine, with its typed settings and how its searcher is made.

Every engine is a choice of every run: `--set search.engine=NAME search.engine.FIELD=VALUE`. The algorithms are in
`common.search`; this package is free of torch, so that `--help` can list it.
"""

from common.engines.aging import Aging
from common.engines.base import Engine, MLPSettings, Problem, fidelity_of
from common.engines.controller import Controller
from common.engines.econas import EcoNAS
from common.engines.exhaustive import Exhaustive
from common.engines.genetic import Genetic
from common.engines.gradient import Gradient
from common.engines.halving import Halving
from common.engines.local import Local
from common.engines.nao import NAO
from common.engines.npenas import NPENAS
from common.engines.nsga2 import NSGA2
from common.engines.pnas import PNAS
from common.engines.random import Random
from common.engines.reinforce import Reinforce
from common.engines.topk import TopK
from common.engines.tournament import Tournament

SampledEngine = (
    Random
    | Exhaustive
    | TopK
    | Genetic
    | Aging
    | Tournament
    | Local
    | Reinforce
    | NSGA2
    | PNAS
    | NPENAS
    | NAO
    | EcoNAS
    | Halving
    | Controller
)
"""Engines that propose architectures and learn from their scores."""
AnyEngine = SampledEngine | Gradient
"""Every engine; `Gradient` trains weights and architecture together and proposes nothing."""

__all__ = [
    "NAO",
    "NPENAS",
    "NSGA2",
    "PNAS",
    "Aging",
    "AnyEngine",
    "Controller",
    "EcoNAS",
    "Engine",
    "Exhaustive",
    "Genetic",
    "Gradient",
    "Halving",
    "Local",
    "MLPSettings",
    "Problem",
    "Random",
    "Reinforce",
    "SampledEngine",
    "TopK",
    "Tournament",
    "fidelity_of",
]
