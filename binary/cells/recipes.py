"""The recipes of every method. No torch here: `--help` reads them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from binary.cells.methods import METHODS
from binary.cells.settings import Settings
from binary.cells.spaces import NetworkSettings, SpaceSettings
from binary.settings import DataSettings
from common.engines import Gradient
from common.evaluate.settings import ScratchSettings
from common.stages.settings import PhaseSettings, RetrainSettings, SearchSettings
from common.train.optim import OptimSettings

_ADAM = OptimSettings(name="adam", lr=1e-2, weight_decay=0.0, schedule="cosine", clip=5.0)
FEW = {
    "kim": ("none", "max_pool_3x3", "bin_dil_conv_3x3", "bin_conv_3x3"),
    "separable": ("none", "max_pool_3x3", "skip_connect", "sep_conv_3x3", "dil_conv_3x3"),
    "grouped": ("none", "max_pool_3x3", "skip_connect", "sep_conv_3x3", "dil_conv_3x3"),
}
"""Layers -> operations of the smoke run, and of the small one."""


def _search(engine: Gradient, trials: int) -> SearchSettings:
    """The method's own engine; any other one evaluates so many candidates, trained alone."""
    return SearchSettings(engine=engine, evaluation=ScratchSettings(), trials=trials)


def _changed(method: str, lr: float, snapshots: int, passes: int, items: int) -> Gradient:
    """The method's search with a higher rate for few steps, which would leave its logits where they began."""
    search = METHODS[method].search
    abandon = None if search.abandon is None else replace(search.abandon, passes=passes, items=items)
    arch = search.arch if abandon else replace(search.arch, lr=lr)
    return replace(search, arch=arch, snapshots=snapshots, abandon=abandon)


def _space(method: str, few: bool, nodes: int, width: int, cells: int, groups: int) -> SpaceSettings:
    m = METHODS[method]
    return SpaceSettings(
        form=m.form,
        operations=FEW[m.form] if few else (),
        nodes=nodes,
        width=width,
        cells=cells,
        partial=m.partial,
        groups=groups if m.form == "grouped" else 12,
        precision=m.precision,
    )


def smoke(method: str) -> Settings:
    """Every stage on the embedded digits in a minute and a half on two cores."""
    return Settings(
        method=method,
        recipe="smoke",
        data=DataSettings(size=16, flip=False),
        budget={},
        space=_space(method, True, nodes=2, width=8, cells=3, groups=4),
        weights=PhaseSettings(steps=84, batch=32, optim=_ADAM),
        search=_search(_changed(method, 0.03, 10, passes=1, items=100), trials=8),
        network=NetworkSettings(width=8, cells=3, drop_path=0.0, kernels=METHODS[method].kernels),
        activations=PhaseSettings(steps=30, batch=32, optim=_ADAM),
        train=PhaseSettings(steps=70, batch=32, optim=_ADAM),
        retrain=RetrainSettings(random_archs=1, seeds=2),
    )


def small(method: str) -> Settings:
    """CIFAR-10's subset, or a folder like it, at 16x16 pixels, in a quarter of an hour on two cores."""
    s = smoke(method)
    adam = replace(_ADAM, lr=5e-3)
    return replace(
        s,
        recipe="small",
        data=DataSettings(size=16),
        space=_space(method, True, nodes=3, width=8, cells=4, groups=4),
        weights=PhaseSettings(steps=420, batch=32, optim=adam),
        search=_search(_changed(method, 6e-3, 20, passes=2, items=500), trials=20),
        network=NetworkSettings(width=12, cells=4, drop_path=0.0, kernels=METHODS[method].kernels),
        activations=PhaseSettings(steps=100, batch=64, optim=adam),
        train=PhaseSettings(steps=200, batch=64, optim=adam),
        retrain=RetrainSettings(random_archs=1, seeds=3),
    )


def paper(method: str) -> Settings:
    """As published for CIFAR-10, as far as that is known; give its own folder and a GPU.

    Training alone has two stages for all methods, 300 epochs of 45,000 images each, by Adam: BNAS (Kim et al.) trains once, for
    600 epochs, by its own update; BATS's numbers are not known exactly.
    """
    adam = OptimSettings(name="adam", lr=1e-3, weight_decay=0.0, schedule="linear")
    m, half = METHODS[method], 300 * 521
    return Settings(
        method=method,
        recipe="paper",
        data=DataSettings(),
        budget={},
        space=_space(method, False, nodes=4, width=24 if method == "bats" else 16, cells=8, groups=12),
        weights=m.weights,
        search=_search(m.search, trials=200),
        network=NetworkSettings(kernels=m.kernels),
        activations=PhaseSettings(steps=half, batch=96, optim=replace(adam, weight_decay=1e-5)),
        train=PhaseSettings(steps=half, batch=96, optim=adam),
        retrain=RetrainSettings(),
        threads=4,
    )


_RECIPES: dict[str, Callable[[str], Settings]] = {"smoke": smoke, "small": small, "paper": paper}
RECIPES = {method: {name: partial(make, method) for name, make in _RECIPES.items()} for method in METHODS}
"""Method -> recipe -> settings."""
