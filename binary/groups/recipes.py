"""The recipes of the search for groups: settings from the smoke run to the paper's. No torch here: `--help` reads them."""

from __future__ import annotations

from dataclasses import replace

from binary.groups.settings import Settings, SpaceSettings
from binary.groups.space import Stage
from binary.settings import DataSettings, DistilSettings
from common.engines import TopK
from common.evaluate.settings import InheritedSettings
from common.stages.settings import PathPhaseSettings, PhaseSettings, RetrainSettings, SearchSettings
from common.train.optim import OptimSettings

_ADAM = OptimSettings(name="adam", lr=2e-2, weight_decay=0.0, schedule="cosine")


def smoke() -> Settings:
    """Every stage on the embedded digits in a minute on two cores."""
    return Settings(
        recipe="smoke",
        data=DataSettings(size=16, flip=False),
        budget={"ops": 66e3},
        space=SpaceSettings(blocks=(Stage(16, 1), Stage(32, 2), Stage(32, 1), Stage(64, 2)), stem=8, stride=1),
        weights=PathPhaseSettings(steps=250, batch=32, optim=_ADAM),
        search=SearchSettings(
            engine=TopK(population=6, mutants=3, crossovers=2, parents=3, rate=0.1),
            evaluation=InheritedSettings(calibration_batches=4, calibration_batch=64),
            trials=18,
        ),
        activations=PhaseSettings(steps=0, batch=32, optim=_ADAM),
        train=PhaseSettings(steps=250, batch=32, optim=_ADAM),
        retrain=RetrainSettings(random_archs=1, seeds=2, hand_made=False),
    )


def small() -> Settings:
    """CIFAR-10's subset, or a folder like it, at 16x16 pixels; networks have the operations of 4 groups at most."""
    s = smoke()
    adam = replace(_ADAM, lr=5e-3)
    blocks = (Stage(32, 1), Stage(64, 2), Stage(64, 1), Stage(128, 2), Stage(128, 1), Stage(256, 2))
    return replace(
        s,
        recipe="small",
        data=DataSettings(size=16),
        budget={"ops": 157_184},
        space=SpaceSettings(blocks=blocks, stem=16, stride=1),
        weights=replace(s.weights, steps=1500, batch=64, optim=adam),
        search=replace(s.search, engine=TopK(population=16, mutants=8, crossovers=8, parents=5, rate=0.1), trials=64),
        activations=replace(s.activations, batch=64, optim=adam),
        train=replace(s.train, steps=800, batch=64, optim=adam),
        retrain=RetrainSettings(random_archs=2, random_share=0.9, seeds=3),
    )


def paper() -> Settings:
    """The published body and budget; training and search are a reconstruction, those of single-path one-shot searches.

    There is no distillation. With distil.weight=1 the loss is ReActNet's; its teacher is a larger network, while the one here is
    the baseline with real weights, trained as long as a network.
    """
    adam = OptimSettings(name="adam", lr=5e-4, weight_decay=0.0, schedule="linear")
    epoch = 1_281_167 // 256
    return Settings(
        recipe="paper",
        data=DataSettings(size=224),
        budget={"ops": 40e6},
        space=SpaceSettings(),
        weights=PathPhaseSettings(steps=100 * epoch, batch=256, optim=adam),
        search=SearchSettings(
            engine=TopK(population=50, mutants=25, crossovers=25, parents=10, rate=0.1),
            evaluation=InheritedSettings(calibration_batches=8, calibration_batch=256),
            trials=1000,
        ),
        activations=PhaseSettings(steps=0, batch=256, optim=adam),
        train=PhaseSettings(steps=256 * epoch, batch=256, optim=adam),
        distil=DistilSettings(teacher=PhaseSettings(steps=256 * epoch, batch=256, optim=adam)),
        retrain=RetrainSettings(),
        threads=4,
    )


RECIPES = {"smoke": smoke, "small": small, "paper": paper}
"""Name -> settings."""
