"""The recipes of DetNAS: settings from the smoke run to the paper's. No torch here: `--help` reads them."""

from __future__ import annotations

from dataclasses import replace

from common.engines import TopK
from common.errors import UserError
from common.evaluate.settings import InheritedSettings
from common.stages.settings import PathPhaseSettings, PhaseSettings, RetrainSettings, SearchSettings
from common.train.optim import OptimSettings
from detection.detnas.settings import Settings
from detection.heads import PAPER_FASTER_RCNN, PAPER_RETINANET, SMALL_FASTER_RCNN, SMALL_RETINANET, Postprocess, RetinaNet
from detection.settings import BRISK_OPTIM, SMALL_OPTIM, DataSettings


def smoke() -> Settings:
    """Every stage on the embedded scenes in under two minutes on two cores. Too little training for the paper's recipe."""
    detect = PathPhaseSettings(steps=280, batch=24, optim=BRISK_OPTIM)
    return Settings(
        recipe="smoke",
        space="tiny",
        head=replace(SMALL_RETINANET, postprocess=Postprocess(per_image=10)),
        data=DataSettings(size=64, val=400, test=400),
        budget={"macs_backbone": 12.5e6},
        warm_up=PathPhaseSettings(steps=80, batch=64, optim=BRISK_OPTIM, paths="baseline"),
        pretrain=PathPhaseSettings(steps=80, batch=64, optim=BRISK_OPTIM),
        detect=detect,
        search=SearchSettings(
            trials=18,
            engine=TopK(population=6, mutants=2, crossovers=2, parents=3, rate=0.2),
            evaluation=InheritedSettings(calibration_batches=4, calibration_batch=64, images=256),
        ),
        retrain_pretrain=PhaseSettings(steps=60, batch=64, optim=BRISK_OPTIM),
        retrain_detect=PhaseSettings(steps=220, batch=24, optim=BRISK_OPTIM),
        retrain=RetrainSettings(random_archs=1, seeds=2),
        label_smoothing=0.0,
        dropout=0.0,
    )


def small() -> Settings:
    """A real data folder, under an hour on two cores. The tiny space and a small head at 256 pixels."""
    optim = replace(SMALL_OPTIM, lr=6e-3)
    detect = PathPhaseSettings(steps=1000, batch=8, optim=optim)
    return Settings(
        recipe="small",
        space="tiny",
        head=RetinaNet(
            strides=(8, 16, 32),
            anchor_sizes=(16, 32, 64),
            scales_per_octave=2,
            ratios=(1.0,),
            neck_channels=48,
            stacked_convs=1,
            head_norm="separate",
            postprocess=Postprocess(per_image=100),
        ),
        data=DataSettings(size=256, flip=True),
        budget={"macs_backbone": 12.5e6},
        warm_up=PathPhaseSettings(steps=150, batch=64, optim=SMALL_OPTIM, paths="baseline"),
        pretrain=PathPhaseSettings(steps=300, batch=64, optim=SMALL_OPTIM),
        detect=detect,
        search=SearchSettings(
            trials=60,
            engine=TopK(population=12, mutants=5, crossovers=5, parents=6, rate=0.15),
            evaluation=InheritedSettings(calibration_batches=8, calibration_batch=16),
        ),
        retrain_pretrain=PhaseSettings(steps=200, batch=64, optim=SMALL_OPTIM),
        retrain_detect=PhaseSettings(steps=600, batch=8, optim=optim),
        retrain=RetrainSettings(random_archs=3, seeds=3),
        label_smoothing=0.0,
        dropout=0.0,
    )


def paper() -> Settings:
    """The published hyper-parameters (COCO, Faster R-CNN with FPN, 300M space): many GPU-days, as in the paper.

    Where it departs from the paper and its code: images are scaled to a long side of 1088, COCO's 640x480 to 1088x816, on one
    canvas (there: short side 800, long side at most 1333, batches padded to their largest). One process holds the whole
    batch, so that BatchNorm sees what SyncBN sees there. Biases learn at the rate of the weights (there: twice), vectors are not
    decayed in detection either, and the warm-up begins near 0 (there: at a third). Networks are retrained on the training split
    alone (there: on the search's validation images too). Classification images are drawn with replacement.
    """
    classify = OptimSettings(name="sgd", lr=0.5, momentum=0.9, weight_decay=4e-5, schedule="linear")
    detect = OptimSettings(
        name="sgd", lr=0.02, momentum=0.9, weight_decay=1e-4, schedule="step", drops=(60 / 90, 80 / 90), warmup=500 / 90_000
    )
    bins = tuple(290e6 + 10e6 * i for i in range(8))
    pretrain = PathPhaseSettings(
        steps=300_000, batch=1024, optim=classify, paths="cost-bins", bins=bins, bins_in="macs_classifier"
    )
    return Settings(
        recipe="paper",
        space="300M",
        head=PAPER_FASTER_RCNN,
        data=DataSettings(size=1088, flip=True, crop=224),
        budget={"macs_backbone": 300e6},
        warm_up=PathPhaseSettings(steps=0, batch=1, optim=classify, paths="baseline"),
        pretrain=pretrain,
        detect=PathPhaseSettings(steps=90_000, batch=16, optim=detect),
        search=SearchSettings(trials=1000, engine=TopK(), evaluation=InheritedSettings(calibration_batches=500)),
        retrain_pretrain=PhaseSettings(steps=300_000, batch=1024, optim=classify),
        retrain_detect=PhaseSettings(steps=90_000, batch=16, optim=detect),
        retrain=RetrainSettings(),
        threads=4,
    )


def with_head(settings: Settings, kind: str) -> Settings:
    """`settings` with a head of another kind, sized as the recipe's own.

    Raises:
        UserError: an unknown kind.
    """
    if kind not in ("retinanet", "faster_rcnn"):
        raise UserError(f"head {kind!r} does not exist; choose retinanet or faster_rcnn")
    old = settings.head
    if isinstance(old, RetinaNet) == (kind == "retinanet"):
        return settings
    if settings.recipe == "paper":  # the paper trains RetinaNet at half the rate
        optim = replace(settings.detect.optim, lr=0.01)
        detect, alone = replace(settings.detect, optim=optim), replace(settings.retrain_detect, optim=optim)
        return replace(settings, head=PAPER_RETINANET, detect=detect, retrain_detect=alone)
    head = replace(
        SMALL_FASTER_RCNN,
        strides=old.strides,
        anchor_sizes=old.anchor_sizes,
        neck_channels=old.neck_channels,
        postprocess=old.postprocess,
    )
    return replace(settings, head=head)


RECIPES = {"smoke": smoke, "small": small, "paper": paper}
"""Name -> settings."""
