"""Settings of a run of a user's own network. No torch here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from common.engines import TopK
from common.evaluate.settings import InheritedSettings
from common.stages.settings import PathTrainSettings, RetrainSettings, RunSettings, SearchSettings, TrainSettings
from common.train.optim import OptimSettings

ADAM = OptimSettings(name="adam", lr=0.001, weight_decay=0.0)
SEARCH = SearchSettings(
    engine=TopK(population=20, mutants=10, crossovers=10, parents=5),
    evaluation=InheritedSettings(calibration_batches=8),
    trials=100,
)
"""Five generations, as many candidates each as half of those of DetNAS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSettings(RunSettings):
    """What a run of an own network computes; `config.json` has every value, and `overrides` changes it by its name there.

    Attributes:
        supernet: training of the supernet, for `search.evaluation=inherited`.
        train: training of a network alone: of the networks that are compared at the end, and of candidates under
            `search.evaluation=scratch`.
        retrain_from: what the networks that are compared begin with: `anew`, or each its part of the trained `supernet`.
    """

    recipe: str = "own"
    budget: dict[str, float] = field(default_factory=dict)
    search: SearchSettings = SEARCH
    retrain: RetrainSettings = RetrainSettings()  # noqa: RUF009  a frozen dataclass
    supernet: PathTrainSettings = PathTrainSettings(steps=1000, optim=ADAM)  # noqa: RUF009
    train: TrainSettings = TrainSettings(steps=1000, optim=ADAM)  # noqa: RUF009
    retrain_from: Literal["anew", "supernet"] = "anew"
