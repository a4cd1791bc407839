"""A GAN Compression run as plain data, and its recipes. No torch here: `--help` reads it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from common.oneshot.settings import PathPhaseSettings, SearchSettings

from common.errors import UserError, check_least
from common.stages.settings import PhaseSettings, RetrainSettings, RunSettings, check_trained
from common.train.optim import OptimSettings
from gan.compression.space import BLOCKS, choices
from gan.settings import DataSettings, GameSettings

COSTS = ("params", "macs")
"""What a generator costs: see `gan.task.TranslationTask.costs`."""
SCORES = ("Frechet", "L1", "mIoU")


@dataclass(frozen=True, slots=True, kw_only=True)
class TeacherSettings:
    """The large generator that is compressed."""

    width: int
    """Its base width everywhere (ngf)."""
    mobile: bool
    """Whether its blocks are depthwise-separable (the full pipeline) or dense (the fast one)."""
    run: str | None = None
    """A finished run's folder, whose teacher and discriminator are taken instead of training them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(RunSettings):
    """Everything that decides what a run computes."""

    space: str
    """Choice set of the students' widths: see `gan.compression.space.CHOICES`."""
    data: DataSettings
    teacher: TeacherSettings
    train_teacher: PhaseSettings
    """pix2pix on pairs, CycleGAN without."""
    distil: PathPhaseSettings
    """The widest student alone, begun with the teacher's most important filters (the full pipeline); 0 steps leave it out."""
    supernet: PathPhaseSettings
    """Students of all widths, one a step."""
    search: SearchSettings
    finetune: PhaseSettings
    """A single student, begun with its part of the supernet's weights; 0 steps keep them as they are."""
    retrain: RetrainSettings
    paired: GameSettings
    """The game on pairs."""
    unpaired: GameSettings
    """The game without pairs."""
    blocks: int = BLOCKS
    """Residual blocks of every generator; a multiple of 3."""
    dropout: float = 0.0
    """Probability inside the blocks."""
    score: Literal["Frechet", "L1", "mIoU"] = "Frechet"
    """What is searched for: the Fréchet distance, the mean absolute difference (pairs), or a segmenter's agreement (pairs)."""
    features: str | None = None
    """File of torchvision's Inception v3 weights, by which the Fréchet distance is FID; a small fixed network by default."""
    segmenter: str | None = None
    """For `mIoU`: `package.module:function` that makes a network from pictures in [-1, 1] to scores of classes."""
    without_distillation: bool = True
    """Whether what was found is trained once more for the comparison: from nothing, for as many steps as the supernet and the
    fine-tuning had, without its teacher's inner maps."""

    def __post_init__(self) -> None:
        """Checks what can be checked without data.

        Raises:
            UserError: an unknown space, score or budget, or a number out of range.
        """
        RunSettings.__post_init__(self)  # not super(): slots make the class anew
        choices(self.space)
        self.check_costs(COSTS, "generator")
        check_least(self, "", ("blocks",), 3)
        if self.blocks % 3:
            raise UserError(f"blocks={self.blocks}: a third of the blocks shares a hidden width; give a multiple of 3")
        if self.teacher.width < 1:
            raise UserError(f"teacher.width={self.teacher.width}: give 1 or more")
        if not 0 <= self.dropout < 1:
            raise UserError(f"dropout={self.dropout}: a probability lies from 0 to below 1")
        if (self.score == "mIoU") != (self.segmenter is not None):
            raise UserError(f"score={self.score!r} with segmenter={self.segmenter!r}: they belong together; give both or neither")
        if self.distil.steps and not self.teacher.mobile:
            raise UserError(
                f"distil.steps={self.distil.steps}: a student begins with the filters of a mobile teacher; set "
                "teacher.mobile=true, or distil.steps=0 (the fast pipeline)"
            )
        if self.distil.steps and max(choices(self.space).positions()[2]) > self.teacher.width:
            raise UserError(
                f"teacher.width={self.teacher.width}: space {self.space} has wider students, which cannot begin with its "
                "filters; give a teacher as wide, or distil.steps=0"
            )
        trained = {"supernet": self.supernet} | ({} if self.teacher.run is not None else {"train_teacher": self.train_teacher})
        check_trained(trained, "generator")


_ADAM = OptimSettings(name="adam", lr=2e-4, momentum=0.5, weight_decay=0.0, schedule="linear", hold=0.5)
"""Of both players in every published recipe; the share of the steps before the rate falls differs."""
_PAIRED = GameSettings(adversarial="hinge", recon=100.0, distil=1.0, discriminator=128)
_UNPAIRED = GameSettings(adversarial="lsgan", recon=10.0, distil=0.01, discriminator=64)


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
            generations=3, population=12, mutants=6, crossovers=6, parents=3, rate=0.3, small_first=2.0, calibration_batches=0
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
            generations=8, population=24, mutants=12, crossovers=12, parents=6, rate=0.3, small_first=2.0, calibration_batches=0
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
        search=SearchSettings(engine="exhaustive", calibration_batches=0, random_baseline=False),
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
    if search.engine == "exhaustive":
        search = SearchSettings(
            generations=500, population=100, mutants=50, crossovers=50, parents=25, rate=0.3, calibration_batches=0
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
