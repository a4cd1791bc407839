"""The recipes of GAN Compression: settings from the smoke run to the paper's. No torch here: `--help` reads them."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from common.engines import Exhaustive, TopK
from common.evaluate.settings import InheritedSettings
from common.stages.settings import PathPhaseSettings, PhaseSettings, RetrainSettings, SearchSettings
from common.train.optim import OptimSettings
from gan.compression.settings import Settings, StudentGame
from gan.compression.space import TeacherSettings
from gan.settings import DataSettings

_ADAM = OptimSettings(name="adam", lr=2e-4, momentum=0.5, weight_decay=0.0, schedule="linear", hold=0.5)
"""Of both players in every published recipe; the share of the steps before the rate falls differs."""
_PAIRED = StudentGame(adversarial="hinge", recon=100.0, distil=1.0, discriminator=128)
_UNPAIRED = StudentGame(adversarial="lsgan", recon=10.0, distil=0.01, discriminator=64)


def _phase(steps: int, batch: int, hold: float, rate: float = 2e-4) -> PhaseSettings:
    return PhaseSettings(steps=steps, batch=batch, optim=replace(_ADAM, hold=hold, lr=rate))


def _paths(
    steps: int, batch: int, hold: float, paths: Literal["uniform", "largest"] = "uniform", rate: float = 2e-4
) -> PathPhaseSettings:
    return PathPhaseSettings(steps=steps, batch=batch, optim=replace(_ADAM, hold=hold, lr=rate), paths=paths)


def smoke() -> Settings:
    """Every stage of the full pipeline on embedded pictures of 32 pixels in two minutes on two cores; too short for good ones."""
    rate = 1e-3
    return Settings(
        recipe="smoke",
        space="tiny",
        data=DataSettings(embedded="digits", size=32, load=36, flip=False, train=256, val=64, test=64),
        teacher=TeacherSettings(width=16, mobile=True),
        train_teacher=_phase(200, 8, 0.5, rate),
        distil=_paths(100, 8, 0.5, "largest", rate),
        supernet=_paths(250, 8, 0.5, rate=rate),
        search=SearchSettings(
            trials=36,
            engine=TopK(population=12, mutants=6, crossovers=6, parents=3, rate=0.3, lean=2.0),
            evaluation=InheritedSettings(),
        ),
        finetune=_phase(100, 8, 0.5, rate),
        retrain=RetrainSettings(random_archs=1, seeds=2),
        paired=replace(_PAIRED, discriminator=16),
        unpaired=replace(_UNPAIRED, discriminator=16),
        budget={"macs": 5_912_576},
        blocks=3,
        pictures=6,
    )


def small() -> Settings:
    """A data folder at 128 pixels on a GPU in about twenty minutes, by the fast pipeline: a dense teacher, no distilled start.

    The budget is what the generator of width 32 everywhere costs, the teacher's multiply-adds by 11.5 (published for edges to
    shoes: 56.8G / 4.99G).
    """
    return Settings(
        recipe="small",
        space="channels-64-cycleGAN",
        data=DataSettings(size=128, load=143),
        teacher=TeacherSettings(width=64, mobile=False),
        train_teacher=_phase(5_000, 4, 0.5),
        distil=_paths(0, 4, 0.5, "largest"),
        supernet=_paths(6_000, 4, 0.5),
        search=SearchSettings(
            trials=192,
            engine=TopK(population=24, mutants=12, crossovers=12, parents=6, rate=0.3, lean=2.0),
            evaluation=InheritedSettings(),
        ),
        finetune=_phase(1_500, 4, 0.5),
        retrain=RetrainSettings(random_archs=1, seeds=2),
        paired=replace(_PAIRED, discriminator=64),
        unpaired=_UNPAIRED,
        budget={"macs": 1_238_761_472},
    )


def small64() -> Settings:
    """The same at 64 pixels with half the widths, within 90 minutes on two cores; the budget divides the teacher by 10.2."""
    s = small()
    return replace(
        s,
        recipe="small64",
        space="halved",
        data=replace(s.data, size=64, load=72),
        teacher=TeacherSettings(width=32, mobile=False),
        train_teacher=_phase(2_500, 4, 0.5),
        distil=_paths(0, 4, 0.5, "largest"),
        supernet=_paths(4_000, 4, 0.5),
        finetune=_phase(800, 4, 0.5),
        paired=replace(_PAIRED, discriminator=32),
        unpaired=replace(_UNPAIRED, discriminator=32),
        budget={"macs": 88_784_896},
    )


def paper() -> Settings:
    """The published hyper-parameters for edges to shoes (45,929 pairs in batches of 4): GPU-weeks.

    Epochs are given as steps: 5 + 15 for the teacher, the distilled start and the fine-tuning, 10 + 30 for the supernet. Other
    data have others: maps and Cityscapes batches of 1 and a mobile teacher of width 96, maps recon 10 and distil 0.01.
    Rates fall with each step (there: with each epoch).
    """
    epoch = 11_482
    return Settings(
        recipe="paper",
        space="channels-48",
        data=DataSettings(val=2048),
        teacher=TeacherSettings(width=64, mobile=True),
        train_teacher=_phase(20 * epoch, 4, 0.25),
        distil=_paths(20 * epoch, 4, 0.25, "largest"),
        supernet=_paths(40 * epoch, 4, 0.25),
        search=SearchSettings(engine=Exhaustive(), evaluation=InheritedSettings(), random_baseline=False),
        finetune=_phase(20 * epoch, 4, 0.25),
        retrain=RetrainSettings(random_archs=1, seeds=1),
        paired=_PAIRED,
        unpaired=_UNPAIRED,
        budget={"macs": 4.9e9},
        save_every=2_000,
    )


def fast(settings: Settings) -> Settings:
    """The fast pipeline (version 4 of the paper) of `settings`: a dense teacher, no distilled start, evolution, a wide space."""
    wide = {"channels-48": "channels-64-pix2pix", "channels-32": "channels-64-cycleGAN"}
    search = settings.search
    if isinstance(search.engine, Exhaustive):
        search = SearchSettings(
            trials=50_000,
            engine=TopK(population=100, mutants=50, crossovers=50, parents=25, rate=0.3),
            evaluation=InheritedSettings(),
        )
    return replace(
        settings,
        space=wide.get(settings.space, settings.space),
        teacher=replace(settings.teacher, mobile=False),
        distil=replace(settings.distil, steps=0),
        search=search,
    )


RECIPES = {"smoke": smoke, "small": small, "small64": small64, "paper": paper}
"""Name -> settings."""
