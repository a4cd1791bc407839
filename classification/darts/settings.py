"""A differentiable search for classifiers as plain data, and the recipes of every method. No torch here: `--help` reads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from common.differentiable.settings import RelaxedSearchSettings

from classification.darts.methods import METHODS
from classification.darts.space import OPERATIONS
from common.errors import UserError, check_least
from common.stages.settings import PhaseSettings, RetrainSettings, RunSettings, check_trained
from common.train.optim import OptimSettings

COSTS = ("params", "macs")
"""What an architecture costs: see `classification.task.ClassificationTask.costs`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSettings:
    """Which images, and how they are read."""

    folder: str | None = None
    """A folder in one of the layouts of `classification.data.classification_folder`; none for the embedded digits."""
    size: int = 32
    """Side of the square images in pixels."""
    skip_bad: bool = False
    """Leave damaged images out, and list them, instead of refusing the folder."""
    flip: bool = True
    """Mirror training images at random; wrong for letters and signs. The embedded digits never are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceSettings:
    """The supernet that is searched."""

    nodes: int = 4
    """Nodes of a cell."""
    width: int = 16
    """Channels of a node in the first cells."""
    cells: int = 8
    partial: int = 1
    """An edge's operation sees 1 channel of so many (PC-DARTS)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSettings:
    """The network in which cells are trained alone and measured."""

    width: int = 36
    """Channels of a node in the first cells."""
    cells: int = 20
    drop_path: float = 0.2
    """Probability at the end of training that a sample is dropped on an edge; it rises linearly from 0."""
    auxiliary: float = 0.4
    """Weight of the second classifier's loss; 0 leaves it out. It reads images of 32 to 40 pixels."""
    cutout: int = 16
    """Side of the square that is cut out of training images, in pixels; 0 for none."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: a value is out of range.
        """
        if not 0 <= self.drop_path < 1:
            raise UserError(f"network.drop_path={self.drop_path}: give a probability from 0 to below 1")
        if self.auxiliary < 0:
            raise UserError(f"network.auxiliary={self.auxiliary}: give 0 or more")
        check_least(self, "network", ("cutout",), 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(RunSettings):
    """Everything that decides what a run computes."""

    method: str
    """darts, darts2, snas, pc-darts or gdas."""
    data: DataSettings
    space: SpaceSettings
    weights: PhaseSettings
    """Training of the supernet's weights; a step of the architecture sees as many images."""
    search: RelaxedSearchSettings
    network: NetworkSettings
    train: PhaseSettings
    """Training of a single network."""
    retrain: RetrainSettings

    def __post_init__(self) -> None:
        """Checks what can be checked without data.

        Raises:
            UserError: an unknown method or budget, or a number out of range.
        """
        RunSettings.__post_init__(self)  # not super(): slots make the class anew
        if self.method not in METHODS:
            raise UserError(f"method {self.method!r} does not exist; choose one of {', '.join(METHODS)}")
        self.check_costs(COSTS, "classifier")
        check_trained({"weights": self.weights, "train": self.train}, "network")
        if odd := sorted(set(self.search.forbidden) - set(OPERATIONS)):
            raise UserError(f"search.forbidden: {odd[0]!r} is no operation; choose among {', '.join(OPERATIONS)}")
        check_least(self.space, "space", ("nodes", "cells", "width", "partial"), 1)
        check_least(self.network, "network", ("cells", "width"), 1)

    @property
    def one_level(self) -> bool:
        """Whether weights and architecture learn from the same images, those of the whole training split."""
        return self.search.rule == "one-level"


def _changed(method: str, lr: float, snapshots: int) -> RelaxedSearchSettings:
    """The method's search with a higher rate for few steps, which would leave its logits where they began."""
    search = METHODS[method].search
    return replace(search, arch=replace(search.arch, lr=lr), snapshots=snapshots)


def smoke(method: str) -> Settings:
    """Every stage on the embedded digits in under a minute and a half on two cores. Too little training for the papers' rates."""
    seen = METHODS[method].partial
    brisk = OptimSettings(name="adamw", lr=1e-2, weight_decay=0.05, schedule="one-cycle", clip=5.0)
    steps = 30 if method == "darts2" else 90  # of second order a step takes three times as long
    return Settings(
        method=method,
        recipe="smoke",
        data=DataSettings(size=16, flip=False),
        budget={},
        space=SpaceSettings(nodes=2, width=max(4, 2 * seen), cells=3, partial=seen),
        weights=PhaseSettings(steps=steps, batch=32, optim=replace(METHODS[method].weights.optim, lr=0.1)),
        search=_changed(method, 0.03, 10),
        network=NetworkSettings(width=8, cells=3, drop_path=0.0, auxiliary=0.0, cutout=0),
        train=PhaseSettings(steps=100, batch=32, optim=brisk),
        retrain=RetrainSettings(random_archs=1, seeds=2),
    )


def small(method: str) -> Settings:
    """CIFAR-10's subset, or a folder like it, in about an hour on two cores.

    The search takes half an hour (measured, first order) and the six trainings, two at a time, somewhat less (reckoned from their
    steps). How many steps that is differs by method: of second order a step takes two and a half times as long, of PC-DARTS half
    and of GDAS a seventh of the time (`make bench`).
    """
    steps = {"darts2": 170, "snas": 350, "pc-darts": 900, "gdas": 2500}.get(method, 500)
    weights = replace(METHODS[method].weights, steps=steps, batch=32)
    return Settings(
        method=method,
        recipe="small",
        data=DataSettings(),
        budget={},
        space=SpaceSettings(nodes=3, width=8, cells=5, partial=METHODS[method].partial),
        weights=replace(weights, optim=replace(weights.optim, lr=0.05)),
        search=_changed(method, 6e-3, 25),
        network=NetworkSettings(width=12, cells=5, drop_path=0.0, auxiliary=0.0, cutout=8),
        train=PhaseSettings(
            steps=500,
            batch=64,
            optim=OptimSettings(name="adamw", lr=6e-3, weight_decay=0.05, schedule="one-cycle", clip=5.0),
        ),
        retrain=RetrainSettings(random_archs=1, seeds=2),
    )


def paper(method: str) -> Settings:
    """As published for CIFAR-10; give its own folder and a GPU.

    Training alone is DARTS's for all methods (appendix A.1): 600 epochs of 50,000 images. Our validation split is cut from the
    training images, so that an epoch has 45,000 here, and half of that in a search; the steps are the published ones.
    """
    optim = OptimSettings(name="sgd", lr=0.025, weight_decay=3e-4, schedule="cosine", clip=5.0)
    return Settings(
        method=method,
        recipe="paper",
        data=DataSettings(),
        budget={},
        space=SpaceSettings(partial=METHODS[method].partial),
        weights=METHODS[method].weights,
        search=METHODS[method].search,
        network=NetworkSettings(),
        train=PhaseSettings(steps=600 * 521, batch=96, optim=optim),
        retrain=RetrainSettings(),
        threads=4,
    )


_MAKERS: dict[str, Callable[[str], Settings]] = {"smoke": smoke, "small": small, "paper": paper}

RECIPES = {method: {recipe: partial(make, method) for recipe, make in _MAKERS.items()} for method in METHODS}
"""Method -> recipe -> settings."""
