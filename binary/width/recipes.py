"""The recipes of the search for widths: settings from the smoke run to the paper's. No torch here: `--help` reads them."""

from __future__ import annotations

from dataclasses import replace

from binary.settings import DataSettings, DistilSettings
from binary.width.settings import Settings, SpaceSettings
from common.engines import Genetic
from common.evaluate.settings import ScratchSettings
from common.stages.settings import PathPhaseSettings, PhaseSettings, RetrainSettings, SearchSettings
from common.train.optim import OptimSettings

_ADAM = OptimSettings(name="adam", lr=1e-2, weight_decay=0.0, schedule="cosine")


def smoke() -> Settings:
    """Every stage on the embedded digits in a minute on two cores."""
    return Settings(
        recipe="smoke",
        data=DataSettings(size=16, flip=False),
        budget={},
        space=SpaceSettings(base=(8, 8, 16, 16)),
        weights=PathPhaseSettings(steps=60, batch=32, optim=_ADAM),
        search=SearchSettings(
            engine=Genetic(population=4, elite=1, rate=0.2),
            evaluation=ScratchSettings(fidelity=0.25),
            trials=8,
            reward="accuracy - 0.1 * ops / 130e3",
        ),
        activations=PhaseSettings(steps=0, batch=32, optim=_ADAM),
        train=PhaseSettings(steps=120, batch=32, optim=_ADAM),
        retrain=RetrainSettings(random_archs=1, seeds=2),
    )


def small() -> Settings:
    """CIFAR-10's subset, or a folder like it, at 16x16 pixels.

    Every network has the operations of ratio 1 at most, random ones 90 % of them at least. Candidates are compared by accuracy
    alone: the paper's reward, with which cheaper networks win, is that of the recipe paper. Population and generations are cut
    to fit an hour.
    """
    s = smoke()
    adam = replace(_ADAM, lr=5e-3)
    return replace(
        s,
        recipe="small",
        data=DataSettings(size=16),
        budget={"ops": 373_760},
        space=SpaceSettings(base=(32, 32, 64, 64, 128, 128)),
        weights=replace(s.weights, steps=1000, batch=64, optim=adam),
        search=replace(
            s.search,
            engine=Genetic(population=8, elite=2, rate=0.15),
            evaluation=ScratchSettings(fidelity=0.25),
            trials=24,
            reward=None,
        ),
        activations=replace(s.activations, batch=64, optim=adam),
        train=replace(s.train, steps=1000, batch=64, optim=adam),
        retrain=RetrainSettings(random_archs=2, random_share=0.9, seeds=3),
    )


def paper() -> Settings:
    """As published for CIFAR-10, as far as it could be read; give its own folder and a GPU.

    The numbers of the search are a reconstruction: the released code has the networks and not the search. 200 epochs of 45,000
    images alone, 10 for a candidate. There is no distillation; with distil.weight=1 the teacher is trained as long as a network.
    """
    sgd = OptimSettings(name="sgd", lr=0.1, weight_decay=1e-4, schedule="cosine")
    steps = 200 * 352
    return Settings(
        recipe="paper",
        data=DataSettings(),
        budget={},
        space=SpaceSettings(),
        weights=PathPhaseSettings(steps=steps, batch=128, optim=sgd),
        search=SearchSettings(
            engine=Genetic(),
            evaluation=ScratchSettings(fidelity=0.05),
            trials=2000,
            reward="accuracy - 0.1 * ops / 13.058e6",
        ),
        activations=PhaseSettings(steps=0, batch=128, optim=sgd),
        train=PhaseSettings(steps=steps, batch=128, optim=sgd),
        distil=DistilSettings(teacher=PhaseSettings(steps=steps, batch=128, optim=sgd)),
        retrain=RetrainSettings(),
        threads=4,
    )


RECIPES = {"smoke": smoke, "small": small, "paper": paper}
"""Name -> settings."""
