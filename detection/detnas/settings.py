"""A DetNAS run as plain data, and the three recipes. No torch here: `--help` reads it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from common.errors import UserError
from common.oneshot.settings import PathPhaseSettings, SearchSettings
from common.stages.settings import PhaseSettings, RetrainSettings, RunSettings, check_trained
from common.train.optim import OptimSettings
from detection.detnas.space import SIZES
from detection.heads import PAPER_FASTER_RCNN, PAPER_RETINANET, SMALL_FASTER_RCNN, SMALL_RETINANET, Head, Postprocess, RetinaNet

COSTS = ("params", "macs", "macs_backbone", "macs_classifier")
"""What an architecture costs: see `detection.task.DetectionTask.costs`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSettings:
    """Which images, and how they are read."""

    folder: str | None = None
    """A folder in COCO layout; none for the embedded scenes."""
    size: int | None = None
    """Long side of the images in pixels; as they are by default (scenes: 64)."""
    skip_bad: bool = False
    """Leave damaged images and boxes out, and list them, instead of refusing the folder."""
    flip: bool = False
    """Flip training images left-right at random; wrong for digits and letters."""
    classes: int = 5
    """Embedded scenes: digits 0 to classes - 1 appear."""
    train: int = 1024
    """Embedded scenes in the training split."""
    val: int = 512
    """Embedded scenes in the validation split."""
    test: int = 512
    """Embedded scenes in the test split."""
    classification: str | None = None
    """An image-folder tree to pre-train on (`train/CLASS/*.jpg`); none for crops of the training boxes."""
    crop: int = 32
    """Side of the classification images in pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(RunSettings):
    """Everything that decides what a run computes."""

    space: str
    """Size of the search space: tiny, 300M, 1.3G or 3.8G."""
    head: Head
    """What is put on the backbone."""
    data: DataSettings
    warm_up: PathPhaseSettings
    """Classification with the hand-made path alone, whose weights its siblings then start from. A departure from the paper."""
    pretrain: PathPhaseSettings
    """Classification over sampled paths."""
    detect: PathPhaseSettings
    """Detection over sampled paths."""
    search: SearchSettings
    retrain_pretrain: PhaseSettings
    """Classification of a single network, before it is retrained."""
    retrain_detect: PhaseSettings
    """Detection of a single network."""
    retrain: RetrainSettings
    label_smoothing: float = 0.1
    """Of the classification loss."""
    dropout: float = 0.2
    """Before the classifier's linear layer."""

    def __post_init__(self) -> None:
        """Checks what can be checked without data.

        Raises:
            UserError: an unknown space or budget, or a number out of range.
        """
        RunSettings.__post_init__(self)  # not super(): slots make the class anew
        if self.space not in SIZES:
            raise UserError(f"space {self.space!r} does not exist; choose one of {', '.join(SIZES)}")
        self.check_costs(COSTS, "detector")
        check_trained({"detect": self.detect, "retrain_detect": self.retrain_detect}, "detector")


_ADAMW = OptimSettings(name="adamw", lr=2e-2, weight_decay=0.05, schedule="one-cycle", clip=10.0)
"""One-cycle AdamW: what trains small detectors from little data in seconds (measured; not the paper's)."""

_BRISK = replace(_ADAMW, lr=3e-2, momentum=0.85)
"""The same at a higher rate, for trainings of ten seconds."""


def smoke() -> Settings:
    """Every stage on the embedded scenes in under two minutes on two cores. Too little training for the paper's recipe."""
    detect = PathPhaseSettings(steps=280, batch=24, optim=_BRISK)
    return Settings(
        recipe="smoke",
        space="tiny",
        head=replace(SMALL_RETINANET, postprocess=Postprocess(per_image=10)),
        data=DataSettings(size=64, val=400, test=400),
        budget={"macs_backbone": 12.5e6},
        warm_up=PathPhaseSettings(steps=80, batch=64, optim=_BRISK, paths="baseline"),
        pretrain=PathPhaseSettings(steps=80, batch=64, optim=_BRISK),
        detect=detect,
        search=SearchSettings(
            generations=3,
            population=6,
            mutants=2,
            crossovers=2,
            parents=3,
            rate=0.2,
            calibration_batches=4,
            calibration_batch=64,
            images=256,
        ),
        retrain_pretrain=PhaseSettings(steps=60, batch=64, optim=_BRISK),
        retrain_detect=PhaseSettings(steps=220, batch=24, optim=_BRISK),
        retrain=RetrainSettings(random_archs=1, seeds=2),
        label_smoothing=0.0,
        dropout=0.0,
    )


def small() -> Settings:
    """A real data folder, under an hour on two cores. The tiny space and a small head at 256 pixels."""
    optim = replace(_ADAMW, lr=6e-3)
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
        warm_up=PathPhaseSettings(steps=150, batch=64, optim=_ADAMW, paths="baseline"),
        pretrain=PathPhaseSettings(steps=300, batch=64, optim=_ADAMW),
        detect=detect,
        search=SearchSettings(
            generations=5,
            population=12,
            mutants=5,
            crossovers=5,
            parents=6,
            rate=0.15,
            calibration_batches=8,
            calibration_batch=16,
        ),
        retrain_pretrain=PhaseSettings(steps=200, batch=64, optim=_ADAMW),
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
        search=SearchSettings(),
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
