"""The recipes of EfficientDet: settings from the smoke run to the paper's. No torch here: `--help` reads them."""

from __future__ import annotations

from dataclasses import replace

from common.engines import Aging
from common.evaluate.settings import ScratchSettings
from common.stages.settings import PhaseSettings, RetrainSettings, SearchSettings
from common.train.optim import OptimSettings
from detection.efficientdet.settings import Settings
from detection.heads import EfficientHead, Postprocess
from detection.settings import SMALL_OPTIM, DataSettings

_SCENES = EfficientHead(
    anchor_scale=3.0,
    scales_per_octave=1,
    sides=((1.0, 1.0),),
    box_weight=5.0,
    postprocess=Postprocess(per_image=10, score_threshold=0.05),
)
"""One anchor a place: embedded digits are square and of one size. The paper's weight of boxes, 50, is for long trainings."""


def smoke() -> Settings:
    """Every stage on the embedded scenes in minutes on two cores; candidates get a third of the training."""
    return Settings(
        recipe="smoke",
        family="tiny",
        head=_SCENES,
        data=DataSettings(size=64, val=200, test=200),
        budget={"macs": 2.5e6},
        search=SearchSettings(trials=6, engine=Aging(population=3, tournament=2), evaluation=ScratchSettings(fidelity=1 / 3)),
        retrain_pretrain=PhaseSettings(steps=40, batch=64, optim=SMALL_OPTIM),
        retrain_detect=PhaseSettings(steps=160, batch=24, optim=SMALL_OPTIM),
        retrain=RetrainSettings(random_archs=1, seeds=2),
    )


def small() -> Settings:
    """A real data folder; images of 224 pixels. The budget is one that the first step of compound scaling keeps."""
    optim = replace(SMALL_OPTIM, lr=6e-3)
    return Settings(
        recipe="small",
        family="small",
        head=EfficientHead(anchor_scale=3.0, box_weight=5.0, postprocess=Postprocess(per_image=100, score_threshold=0.05)),
        data=DataSettings(size=224, flip=True),
        budget={"macs": 60e6},
        search=SearchSettings(trials=12, engine=Aging(population=5, tournament=3), evaluation=ScratchSettings(fidelity=0.3)),
        retrain_pretrain=PhaseSettings(steps=200, batch=64, optim=SMALL_OPTIM),
        retrain_detect=PhaseSettings(steps=400, batch=8, optim=optim),
        retrain=RetrainSettings(random_archs=3, seeds=3),
    )


def paper() -> Settings:
    """The published hyper-parameters for COCO: weeks of many GPUs.

    Not there yet, and part of the published training: weights of ImageNet to begin with (here: classification of COCO's boxes),
    scale jitter from 0.1 to 2 with crops, gradients clipped for each variable, and statistics of BatchNorm over all processes.
    The moving average is of weights alone (there: of the statistics of BatchNorm as well). The cosine begins after the warm-up
    (there: with the first step).
    """
    optim = OptimSettings(name="sgd", lr=0.16, momentum=0.9, weight_decay=4e-5, schedule="cosine", warmup=1 / 300, clip=10.0)
    return Settings(
        recipe="paper",
        family="paper",
        head=EfficientHead(),
        data=DataSettings(size=1536, flip=True, crop=224),
        budget={"macs": 2.6e9},
        search=SearchSettings(trials=50, engine=Aging(population=20, tournament=5), evaluation=ScratchSettings(fidelity=0.1)),
        retrain_pretrain=PhaseSettings(steps=100_000, batch=1024, optim=replace(optim, lr=0.5)),
        retrain_detect=PhaseSettings(steps=277_000, batch=128, optim=optim, ema=0.9998),
        retrain=RetrainSettings(),
        threads=4,
    )


RECIPES = {"smoke": smoke, "small": small, "paper": paper}
"""Name -> settings."""
