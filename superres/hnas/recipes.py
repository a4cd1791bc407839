"""The recipes of HNAS: settings from the smoke run to the paper's. No torch here: `--help` reads them."""

from __future__ import annotations

from dataclasses import replace

from common.engines import Controller
from common.evaluate.settings import InheritedSettings, ScratchSettings
from common.stages.settings import PathPhaseSettings, PhaseSettings, RetrainSettings, SearchSettings
from common.train.optim import ArchSettings, OptimSettings
from superres.hnas.settings import Settings, SpaceSettings
from superres.settings import DataSettings

UNITS = {"smoke": 8e6, "small": 2.25e7, "paper": 64 / 5e-9}
"""Recipe -> multiply-adds of the network trained alone, transposed convolutions among them, for a picture of 48x48 pixels, that
count as cost 1 in a reward.

Of the paper's recipe, what the released code means: 5e-9 for each multiply-add of the network that is searched, whose width is an
eighth. (What it computes is another number: its counter adds up every convolution that any architecture has used so far.)
"""


def reward(balance: float, unit: float, quality: str = "PSNR") -> str:
    """lambda * PSNR - (1 - lambda) * cost (paper, equation 2) as an expression.

    Args:
        balance: lambda.
        unit: multiply-adds of cost 1.
        quality: what stands for the PSNR. `gain` is the PSNR less that of bicubic enlargement of the same batch; see
            `superres.phases.Upscale`.
    """
    return f"{balance:g} * {quality} - {1 - balance:g} * macs_deconv / {unit:g}"


def _controllers(lr: float, every: int, burst: int, reward: str, entropy: float, begin: float = 0.0) -> Controller:
    return Controller(
        policy="own",
        reward=reward,
        arch=ArchSettings(lr=lr, betas=(0.5, 0.999), weight_decay=5e-4, every=every, begin=begin),
        burst=burst,
        decay=0.95,
        restart=True,
        entropy=entropy,
    )


_ADAM = OptimSettings(name="adam", lr=1e-3, weight_decay=0.0, schedule="cosine", floor=0.01)
"""Of every network in the paper."""


def smoke() -> Settings:
    """Every stage on the embedded photographs in two minutes on two cores.

    Too short for good pictures, and for shared weights that tell candidates apart: their scores are nearly those of the enlarged
    input alone.
    """
    brisk = replace(_ADAM, lr=4e-3, clip=50.0)
    return Settings(
        recipe="smoke",
        data=DataSettings(patch=48, val=6),
        budget={},
        space=SpaceSettings(width=4, cells=4, residual=True),
        weights=PathPhaseSettings(steps=120, batch=8, optim=brisk),
        search=SearchSettings(
            engine=_controllers(lr=3e-3, every=20, burst=10, reward=reward(0.6, UNITS["smoke"], "gain"), entropy=0.02),
            evaluation=InheritedSettings(calibration_batches=4),
            trials=6,
        ),
        width=6,
        train=PhaseSettings(steps=200, batch=8, optim=brisk),
        retrain=RetrainSettings(random_archs=1, seeds=2),
        pictures=4,
    )


def small() -> Settings:
    """T91 with Set5 and Set14, or a folder like it, under an hour on two cores.

    The budget is about what an EDSR of 3 blocks and 16 channels costs; lambda is 0.9, that of HNAS-C, since the budget bounds the
    cost. Rewards have the gain over bicubic enlargement in the place of PSNR: PSNR differs between batches by nine times what it
    differs by between architectures, and hides them in a thousand rewards. The controllers begin after half of the weights'
    steps: before, operations without weights look best. The candidates that they draw are each trained alone for a part of the
    steps, since so short a training of the supernet leaves weights that tell candidates apart less well.
    """
    brisk = replace(_ADAM, lr=3e-3, clip=50.0)
    return Settings(
        recipe="small",
        data=DataSettings(patch=64),
        budget={"macs_deconv": 67e6},
        space=SpaceSettings(width=8, cells=4, residual=True),
        weights=PathPhaseSettings(steps=1600, batch=8, optim=brisk),
        search=SearchSettings(
            engine=_controllers(lr=1e-3, every=20, burst=25, reward=reward(0.9, UNITS["small"], "gain"), entropy=0.02, begin=0.5),
            evaluation=ScratchSettings(fidelity=0.2),
            trials=12,
        ),
        width=8,
        train=PhaseSettings(steps=3750, batch=4, optim=brisk),
        retrain=RetrainSettings(random_archs=1, seeds=3),
    )


def paper() -> Settings:
    """The published hyper-parameters, for DIV2K: GPU-days.

    Epochs of 1,000 batches are given as steps: 400 for the supernet, each followed by as many steps of the controllers, whose
    rate is halved after 100, and 300 for what is found. lambda is 0.2, that of HNAS-A; for 0.6 with the paper's count, in which
    transposed convolutions are free, give `--set 'search.engine.reward=0.6 * PSNR - 0.4 * macs / 1.28e10'`.

    Departures: the cost in the reward is that of the architecture that is rewarded (see `UNITS`), with transposed convolutions
    and not rounded; the training pictures are divided at random into those of the weights and those of the controllers; the ten
    candidates are different ones; the cosine of the weights' rate falls with each step, not each epoch.
    """
    return Settings(
        recipe="paper",
        data=DataSettings(patch=96, val=10),
        budget={},
        space=SpaceSettings(width=8, cells=12),
        weights=PathPhaseSettings(steps=400_000, batch=16, optim=_ADAM),
        search=SearchSettings(
            engine=replace(
                _controllers(lr=3e-4, every=1000, burst=1000, reward=reward(0.2, UNITS["paper"]), entropy=1.0), halve=(0.25,)
            ),
            evaluation=InheritedSettings(),
            trials=10,
        ),
        width=64,
        train=PhaseSettings(steps=300_000, batch=16, optim=_ADAM),
        retrain=RetrainSettings(random_archs=1, seeds=1),
        ensemble=True,
        save_every=2_000,
    )


RECIPES = {"smoke": smoke, "small": small, "paper": paper}
"""Name -> settings."""
