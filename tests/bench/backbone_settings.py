"""The studies of backbone search. They differ in the space and its budget only; training and data are the same."""

from __future__ import annotations

from common.evaluate.settings import InheritedSettings
from common.stages.settings import PathPhaseSettings, PhaseSettings, RetrainSettings, SearchSettings
from common.train.optim import OptimSettings
from detection.detnas.settings import Settings
from detection.heads import Postprocess, RetinaNet
from detection.settings import DataSettings
from tests.bench.backbone_figures import Study

_OPTIM = OptimSettings(name="adamw", lr=2e-2, weight_decay=0.05, schedule="one-cycle", clip=10.0)
"""The optimiser of the recipe small."""
_HEAD = RetinaNet(
    strides=(8, 16),
    anchor_sizes=(24, 32),
    scales_per_octave=1,
    ratios=(1.0,),
    neck_channels=16,
    stacked_convs=1,
    head_norm="separate",
    postprocess=Postprocess(per_image=10),
)
"""The head of the recipe smoke with half the channels, which would otherwise need most of a detector's multiply-adds."""


def _settings(space: str, macs: float) -> Settings:
    """The settings of a study.

    There is no warm-up: it copies the weights of one option into the others, which makes them the same function. Fair paths train
    every option in each step, blocks beyond the least depth apart. An option gets 2,000 detection steps, a retrained network 300.

    Args:
        space: size of the space.
        macs: upper limit on the multiply-adds of a detector on 64x64 pixels.
    """
    fair = PathPhaseSettings(steps=2000, batch=24, optim=_OPTIM, paths="fair")
    return Settings(
        recipe="study",
        space=space,
        head=_HEAD,
        data=DataSettings(size=64, classes=5, train=2048, val=512, test=1024),
        budget={"macs": macs},
        warm_up=PathPhaseSettings(steps=0, batch=1, optim=_OPTIM, paths="baseline"),
        pretrain=PathPhaseSettings(steps=400, batch=64, optim=_OPTIM, paths="fair"),
        detect=fair,
        search=SearchSettings(evaluation=InheritedSettings(calibration_batches=4, calibration_batch=128)),
        retrain_pretrain=PhaseSettings(steps=100, batch=64, optim=_OPTIM),
        retrain_detect=PhaseSettings(steps=300, batch=24, optim=_OPTIM),
        retrain=RetrainSettings(),
        label_smoothing=0.0,
        dropout=0.0,
    )


def mobile() -> Study:
    """Inverted bottlenecks with open kernels, depths and both widths; half of the random networks keep the budget."""
    return Study(name="mobile", settings=_settings("tiny-mobile", 2.0e6))


def scaled() -> Study:
    """ShuffleNet's blocks with open kinds, depths and inner widths; half of the random networks keep the budget."""
    return Study(name="scaled", settings=_settings("tiny-scaled", 2.15e6))


STUDIES = {"mobile": mobile, "scaled": scaled}
"""Name -> study."""
