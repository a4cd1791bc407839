"""The recipes of DCNAS: settings from the smoke run to the paper's. No torch here: `--help` reads them."""

from __future__ import annotations

from dataclasses import replace

from common.engines import Gradient
from common.engines.weighting import WeightingSettings
from common.evaluate.settings import ScratchSettings
from common.stages.settings import PhaseSettings, RetrainSettings, SearchSettings
from common.train.optim import ArchSettings, OptimSettings
from segmentation.dcnas.settings import Settings
from segmentation.dcnas.sizes import SIZES, SpaceSettings
from segmentation.heads import DecodeHead
from segmentation.settings import DataSettings


def _search(lr: float, begin: float, keep: float, entropy: float, snapshots: int, trials: int) -> SearchSettings:
    """First-order bi-level search: operators by softmax, inputs by softmax over a sample; `trials` is for other engines."""
    engine = Gradient(
        options=WeightingSettings(),
        members=WeightingSettings(keep=keep),
        arch=ArchSettings(lr=lr, begin=begin),
        entropy=entropy,
        snapshots=snapshots,
    )
    return SearchSettings(engine=engine, evaluation=ScratchSettings(), trials=trials)


_ADAMW = OptimSettings(name="adamw", lr=5e-3, weight_decay=0.05, schedule="one-cycle", clip=5.0)
"""One-cycle AdamW: what trains small networks from few pictures in little time (not the paper's)."""


def smoke() -> Settings:
    """Every stage on the embedded scenes in under a minute and a half on two cores. Too little training for the paper's rates."""
    size = SIZES["smoke"]
    brisk = replace(_ADAMW, lr=2e-2)
    return Settings(
        recipe="smoke",
        data=DataSettings(crop=(64, 64), scale=(1.0, 1.0), classes=3, train=512, val=96, test=96),
        budget={},
        space=SpaceSettings(size="smoke"),
        head=DecodeHead(channels=size.head, dropout=0.0),
        weights=PhaseSettings(steps=60, batch=8, optim=brisk),
        search=_search(lr=0.03, begin=0.2, keep=0.5, entropy=0.1, snapshots=10, trials=6),
        train=PhaseSettings(steps=220, batch=6, optim=replace(brisk, lr=6e-2, momentum=0.85)),
        retrain=RetrainSettings(random_archs=1, seeds=2),
    )


def small() -> Settings:
    """CamVid at 240x180, or a folder like it, under an hour on two cores.

    Measured beside other work: 47 minutes, the search 15 and the twelve trainings, two at a time, 32 (a step: 0.13 to 0.5 s). A
    network sees each of 367 pictures 20 times.
    """
    size = SIZES["small"]
    return Settings(
        recipe="small",
        data=DataSettings(crop=(128, 160), scale=(0.75, 1.5)),
        budget={},
        space=SpaceSettings(size="small"),
        head=DecodeHead(channels=size.head),
        weights=PhaseSettings(steps=900, batch=4, optim=_ADAMW),
        search=_search(lr=0.01, begin=0.3, keep=0.25, entropy=0.1, snapshots=20, trials=15),
        train=PhaseSettings(steps=1200, batch=6, optim=replace(_ADAMW, lr=1e-2)),
        retrain=RetrainSettings(random_archs=2, seeds=3),
    )


def paper() -> Settings:
    """Cityscapes at the paper's scale: give its folder and a GPU of much memory. Many GPU-days, as in the paper.

    No code is public, and its text does not give most values. [R] all of these but the data set: 120 epochs of the search
    (each half has 1,487 pictures) at batch 8, the first 30 with weights alone, SGD at 0.05 with weight decay 3e-4, Adam at 3e-4
    for the architecture, a quarter of the paths and of the channels in each step, entropy up to 0.1, two inputs a cell.
    Networks are trained from scratch for 800 epochs at 0.05; there they start from ImageNet, which needs a classifier trained
    before. The schedule is cosine (there: polynomial). Pictures are scored as they are, at one scale.
    """
    size = SIZES["paper"]
    epoch = 2975 // 2 // 8
    sgd = OptimSettings(name="sgd", lr=0.05, momentum=0.9, weight_decay=3e-4, schedule="cosine", clip=5.0)
    return Settings(
        recipe="paper",
        data=DataSettings(crop=(512, 1024)),
        budget={},
        space=SpaceSettings(size="paper"),
        head=DecodeHead(channels=size.head),
        weights=PhaseSettings(steps=120 * epoch, batch=8, optim=sgd),
        search=_search(lr=3e-4, begin=30 / 120, keep=0.25, entropy=0.1, snapshots=120, trials=200),
        train=PhaseSettings(steps=800 * 2975 // 8, batch=8, optim=sgd),
        retrain=RetrainSettings(),
        threads=4,
    )


RECIPES = {"smoke": smoke, "small": small, "paper": paper}
"""Name -> settings."""
