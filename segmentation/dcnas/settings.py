"""A DCNAS run as plain data, and the three recipes. No torch here: `--help` reads it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from common.differentiable.settings import RelaxedSearchSettings, WeightingSettings

from common.errors import UserError, check_least
from common.stages.settings import PhaseSettings, RetrainSettings, RunSettings, check_trained
from common.train.optim import ArchSettings, OptimSettings
from segmentation.dcnas.sizes import SIZES
from segmentation.dcnas.space import Network, with_inputs
from segmentation.heads import DecodeHead

COSTS = ("params", "macs")
"""What an architecture costs: see `segmentation.task.SegmentationTask.costs`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSettings:
    """Which pictures, and how they are read and varied."""

    folder: str | None = None
    """A folder in one of the layouts of `segmentation.data.folder`; none for the embedded scenes."""
    size: int | None = None
    """Long side that larger pictures are reduced to, in pixels; side of the scenes (by default the crop's, at least 64)."""
    skip_bad: bool = False
    """Leave damaged pictures and classes that nobody learns out, and list them, instead of refusing the folder."""
    crop: tuple[int, int] = (64, 64)
    """Height and width of what is cut out of training pictures, in pixels."""
    scale: tuple[float, float] = (0.5, 2.0)
    """Lowest and highest factor that training pictures are scaled by before."""
    flip: bool = True
    """Mirror training pictures at random. The embedded scenes never are: a mirrored digit is another one."""
    classes: int = 5
    """Embedded scenes: digits 0 to classes - 1 appear; the background is one class more."""
    train: int = 1024
    """Embedded scenes in the training split."""
    val: int = 256
    """Embedded scenes in the validation split."""
    test: int = 256
    """Embedded scenes in the test split."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceSettings:
    """What is searched: one of the named sizes, and what of it is changed."""

    size: str
    """smoke, small, paper, small-neighbour or paper-neighbour."""
    inputs: int | None = None
    """Most inputs of a cell of an architecture: the k of the derivation's top-k rule. [R] By default that of the size, 2."""
    width: int | None = None
    """Channels at the finest stride; by default those of the size."""
    partial: int | None = None
    """In the search a cell's operator sees 1 channel of so many; 1 samples none. [R] By default that of the size."""

    def open(self) -> Network:
        """The open description.

        Raises:
            UserError: `inputs` is below 1.
        """
        net = SIZES[self.size].space()
        net = net if self.inputs is None else with_inputs(net, self.inputs)
        return replace(net, width=self.width or net.width, partial=self.partial or net.partial)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(RunSettings):
    """Everything that decides what a run computes."""

    data: DataSettings
    space: SpaceSettings
    head: DecodeHead
    """What is put on the cells."""
    weights: PhaseSettings
    """Training of the supernet's weights; a step of the architecture sees as many pictures."""
    search: RelaxedSearchSettings
    train: PhaseSettings
    """Training of a single network."""
    retrain: RetrainSettings

    def __post_init__(self) -> None:
        """Checks what can be checked without data.

        Raises:
            UserError: an unknown space or budget, or a number out of range.
        """
        RunSettings.__post_init__(self)  # not super(): slots make the class anew
        space = self.space
        if space.size not in SIZES:
            raise UserError(f"space.size={space.size}: no such size; choose one of {', '.join(SIZES)}")
        for name in ("inputs", "width", "partial"):
            if getattr(space, name) is not None:
                check_least(space, "space", (name,), 1)
        net = space.open()
        if net.width % net.partial:
            raise UserError(f"space.width={net.width} cannot be shared out to space.partial={net.partial}; give a multiple of it")
        operators = {op for cell in net.cells.values() for op in cell.op.options}
        unknown = [op for op in self.search.forbidden if op not in operators]
        if unknown or operators <= set(self.search.forbidden):
            raise UserError(
                f"search.forbidden={list(self.search.forbidden)}: name some, not all, of {', '.join(sorted(operators))}"
            )
        self.check_costs(COSTS, "segmentation network")
        check_trained({"weights": self.weights, "train": self.train}, "network")
        if self.search.stop == "skips":
            raise UserError(
                "search.stop=skips counts skips in the cells of DARTS, which DCNAS does not have; give never or ranks"
            )
        if self.search.cost == "dual":
            raise UserError("search.cost=dual needs prices that are sums over the cells, which DCNAS's are not; give filter")


def _search(lr: float, begin: float, keep: float, entropy: float, snapshots: int) -> RelaxedSearchSettings:
    """First-order bi-level search: operators by softmax, inputs by softmax over a sample of them."""
    return RelaxedSearchSettings(
        options=WeightingSettings(),
        members=WeightingSettings(keep=keep),
        arch=ArchSettings(lr=lr, begin=begin),
        entropy=entropy,
        snapshots=snapshots,
    )


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
        search=_search(lr=0.03, begin=0.2, keep=0.5, entropy=0.1, snapshots=10),
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
        search=_search(lr=0.01, begin=0.3, keep=0.25, entropy=0.1, snapshots=20),
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
        search=_search(lr=3e-4, begin=30 / 120, keep=0.25, entropy=0.1, snapshots=120),
        train=PhaseSettings(steps=800 * 2975 // 8, batch=8, optim=sgd),
        retrain=RetrainSettings(),
        threads=4,
    )


RECIPES = {"smoke": smoke, "small": small, "paper": paper}
"""Name -> settings."""
