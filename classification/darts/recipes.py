"""The recipes of every method. No torch here: `--help` reads them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from classification.darts.methods import METHODS
from classification.darts.settings import NetworkSettings, Settings
from classification.darts.spaces import SpaceSettings
from classification.settings import DataSettings
from common.engines import Gradient
from common.evaluate.settings import ScratchSettings
from common.overrides import override
from common.stages.settings import PhaseSettings, RetrainSettings, SearchSettings
from common.train.optim import OptimSettings


def _changed(method: str, lr: float, snapshots: int, steps: int, cells: int) -> Gradient:
    """The method's search with a higher rate for few steps, which would leave its logits where they began.

    Searches in a row are of `cells` cells and one more each time; what is dropped in rounds is dropped in twenty.
    """
    search = METHODS[method].search
    grow = tuple(
        replace(stage, overrides=(f"space.cells={cells + i}", stage.overrides[-1])) for i, stage in enumerate(search.grow)
    )
    prune = None if search.prune is None else replace(search.prune, every=max(1, steps // 20), price=0.2)
    arch = replace(search.arch, lr=max(lr, search.arch.lr))
    return replace(search, arch=arch, snapshots=snapshots, grow=grow, prune=prune, scored=min(search.scored, 200))


def _search(engine: Gradient, trials: int) -> SearchSettings:
    """The method's own engine; any other one evaluates so many candidates, trained alone."""
    return SearchSettings(engine=engine, evaluation=ScratchSettings(), trials=trials)


def smoke(method: str) -> Settings:
    """Every stage on the embedded digits in under a minute and a half on two cores. Too little training for the papers' rates."""
    brisk = OptimSettings(name="adamw", lr=1e-2, weight_decay=0.05, schedule="one-cycle", clip=5.0)
    steps = {"darts2": 30, "amended-darts": 30, "p-darts": 30}.get(method, 90)  # a step takes longer, or there are three searches
    return Settings(
        method=method,
        recipe="smoke",
        data=DataSettings(size=16, flip=False),
        budget={},
        space=SpaceSettings(nodes=2, width=8 if method == "pc-darts" else 4, cells=3),
        weights=PhaseSettings(steps=steps, batch=32, optim=replace(METHODS[method].weights.optim, lr=0.1)),
        search=_search(_changed(method, 0.03, 10, steps, cells=3), trials=8),
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
    steps = {"darts2": 170, "amended-darts": 170, "pc-darts": 900, "gdas": 2500, "p-darts": 170}.get(method, 500)
    weights = replace(METHODS[method].weights, steps=steps, batch=32)
    return Settings(
        method=method,
        recipe="small",
        data=DataSettings(),
        budget={},
        space=SpaceSettings(nodes=3, width=8, cells=5),
        weights=replace(weights, optim=replace(weights.optim, lr=0.05)),
        search=_search(_changed(method, 6e-3, 25, steps, cells=4), trials=20),
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
        space=SpaceSettings(),
        weights=METHODS[method].weights,
        search=_search(METHODS[method].search, trials=200),
        network=NetworkSettings(),
        train=PhaseSettings(steps=600 * 521, batch=96, optim=optim),
        retrain=RetrainSettings(),
        threads=4,
    )


_RECIPES: dict[str, Callable[[str], Settings]] = {"smoke": smoke, "small": small, "paper": paper}


def _made(recipe: str, method: str) -> Settings:
    """A recipe for a method, with what the method changes in the settings."""
    changes = METHODS[method]
    return override(_RECIPES[recipe](method), [*changes.changes, *(changes.paper_changes if recipe == "paper" else ())])


RECIPES = {method: {recipe: partial(_made, recipe, method) for recipe in _RECIPES} for method in METHODS}
"""Method -> recipe -> settings."""
