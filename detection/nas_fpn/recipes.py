"""The recipes of NAS-FPN: settings from the smoke run to the paper's. No torch here: `--help` reads them."""

from __future__ import annotations

from dataclasses import replace

from common.engines import Reinforce
from common.evaluate.settings import ProxySettings
from common.stages.settings import PhaseSettings, RetrainSettings, SearchSettings
from common.train.optim import OptimSettings
from detection.heads import Postprocess, RetinaNet
from detection.nas_fpn.settings import Settings
from detection.necks.settings import PyramidSettings
from detection.settings import BRISK_OPTIM, SMALL_OPTIM, DataSettings

_HEAD = RetinaNet(
    anchor_sizes=(20, 28, 36),
    scales_per_octave=1,
    ratios=(1.0,),
    stacked_convs=1,
    head_norm="separate",
    postprocess=Postprocess(per_image=10),
)


def smoke() -> Settings:
    """Every stage on the embedded scenes in minutes on two cores; candidates are one stack with a third of the steps."""
    return Settings(
        recipe="smoke",
        backbone="shufflenet-tiny",
        pyramid=PyramidSettings(levels=(3, 4, 5), between=1, width=24, stacks=2),
        head=_HEAD,
        data=DataSettings(size=64, val=200, test=200),
        budget={},
        search=SearchSettings(
            trials=6,
            engine=Reinforce(children=2, rate=0.01, clip=0.2, epochs=2),
            evaluation=ProxySettings(overrides=("pyramid.stacks=1",), fidelity=1 / 3),
        ),
        retrain_pretrain=PhaseSettings(steps=60, batch=64, optim=BRISK_OPTIM),
        retrain_detect=PhaseSettings(steps=160, batch=24, optim=BRISK_OPTIM),
        retrain=RetrainSettings(random_archs=1, seeds=2),
    )


def small() -> Settings:
    """A real data folder; images of 256 pixels, five levels, one stack for candidates. An hour and a half."""
    optim = replace(SMALL_OPTIM, lr=1.2e-2)
    return Settings(
        recipe="small",
        backbone="shufflenet-tiny",
        pyramid=PyramidSettings(levels=(3, 4, 5, 6, 7), width=32, stacks=2),
        head=RetinaNet(
            anchor_sizes=(16, 32, 64, 128, 192),
            scales_per_octave=2,
            ratios=(1.0,),
            stacked_convs=1,
            head_norm="separate",
            postprocess=Postprocess(per_image=100),
        ),
        data=DataSettings(size=256, flip=True),
        budget={},
        search=SearchSettings(
            trials=24,
            engine=Reinforce(children=4, rate=0.01, clip=0.2, epochs=2),
            evaluation=ProxySettings(overrides=("pyramid.stacks=1",), fidelity=0.25),
        ),
        retrain_pretrain=PhaseSettings(steps=200, batch=64, optim=SMALL_OPTIM),
        retrain_detect=PhaseSettings(steps=600, batch=8, optim=optim),
        retrain=RetrainSettings(random_archs=3, seeds=3),
    )


def paper() -> Settings:
    """The published hyper-parameters for COCO: about 100 TPUs in the paper.

    The controller is an LSTM of 100 units trained by PPO; its rate, the decay of its baseline and its clip are reconstructions.
    The proxy has a ResNet-10, images of 512 pixels, three stacks and ten of the fifty epochs. Not there yet, and part of the
    published training: weights of ImageNet to begin with (here: classification of COCO's boxes), scale jitter from 0.8 to 1.2
    with crops, and DropBlock. Rewards are those of the validation split (there: of 7,392 images held out of training).
    """
    optim = OptimSettings(
        name="sgd", lr=0.08, momentum=0.9, weight_decay=1e-4, schedule="step", drops=(30 / 50, 40 / 50), warmup=1000 / 92_000
    )
    overrides = ("backbone=resnet-10", "pyramid.stacks=3", "data.size=512")
    return Settings(
        recipe="paper",
        backbone="resnet-50",
        pyramid=PyramidSettings(),
        head=RetinaNet(head_norm="separate", negative_iou=0.5),
        data=DataSettings(size=640, flip=True, crop=224),
        budget={},
        search=SearchSettings(
            trials=8000,
            engine=Reinforce(children=100, clip=0.2, epochs=3, baseline=0.95, entropy=0.01),
            evaluation=ProxySettings(overrides=overrides, fidelity=0.2),
        ),
        retrain_pretrain=PhaseSettings(steps=100_000, batch=1024, optim=replace(optim, lr=0.5)),
        retrain_detect=PhaseSettings(steps=92_000, batch=64, optim=optim),
        retrain=RetrainSettings(),
        threads=4,
    )


RECIPES = {"smoke": smoke, "small": small, "paper": paper}
"""Name -> settings."""
