"""The core every task shares: spaces, supernets, search, evaluation, cost, training, run folders and reports.

What most scripts need can be imported from here; modules are loaded when their names are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from common.errors import UserError
    from common.evaluate.settings import InheritedSettings, PredictorSettings, ProxySettings, ScratchSettings, TableSettings
    from common.objective import Objective
    from common.own.search import search_network
    from common.own.settings import NetworkSettings
    from common.reading import Run
    from common.space import Arch, ManyOf, OneOf, Repeat, Where
    from common.stages.settings import PathTrainSettings, RetrainSettings, SearchSettings, StopSettings, TrainSettings
    from common.starting import start
    from common.train.optim import OptimSettings

_PLACES = {
    "Arch": "common.space",
    "InheritedSettings": "common.evaluate.settings",
    "ManyOf": "common.space",
    "NetworkSettings": "common.own.settings",
    "Objective": "common.objective",
    "OneOf": "common.space",
    "OptimSettings": "common.train.optim",
    "PathTrainSettings": "common.stages.settings",
    "PredictorSettings": "common.evaluate.settings",
    "ProxySettings": "common.evaluate.settings",
    "Repeat": "common.space",
    "RetrainSettings": "common.stages.settings",
    "Run": "common.reading",
    "ScratchSettings": "common.evaluate.settings",
    "SearchSettings": "common.stages.settings",
    "StopSettings": "common.stages.settings",
    "TableSettings": "common.evaluate.settings",
    "TrainSettings": "common.stages.settings",
    "UserError": "common.errors",
    "Where": "common.space",
    "search_network": "common.own.search",
    "start": "common.starting",
}

__all__ = [
    "Arch",
    "InheritedSettings",
    "ManyOf",
    "NetworkSettings",
    "Objective",
    "OneOf",
    "OptimSettings",
    "PathTrainSettings",
    "PredictorSettings",
    "ProxySettings",
    "Repeat",
    "RetrainSettings",
    "Run",
    "ScratchSettings",
    "SearchSettings",
    "StopSettings",
    "TableSettings",
    "TrainSettings",
    "UserError",
    "Where",
    "search_network",
    "start",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'common' has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
