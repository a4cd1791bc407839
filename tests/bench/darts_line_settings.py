"""The methods of the DARTS line as they are compared on NAS-Bench-201: in one recipe, by their own ideas alone."""

from __future__ import annotations

from dataclasses import dataclass, replace

from classification.darts.methods import METHODS
from classification.darts.settings import NetworkSettings, Settings
from classification.darts.spaces import TableSpaceSettings
from classification.settings import DataSettings
from common.engines import Gradient
from common.engines.dropping import FreezeSettings, GrowSettings, ProjectSettings, ShrinkSettings
from common.engines.weighting import WeightingSettings
from common.evaluate.settings import ScratchSettings
from common.stages.settings import PhaseSettings, RetrainSettings, SearchSettings
from common.train.optim import ArchSettings, OptimSettings

IMAGES = 8000
"""Training images, half of them for the weights and half for the architecture."""
STEPS, RATE = 800, 5e-3
"""Steps of a search, and the architecture's learning rate."""
LONG, FAST = 1500, 1e-2
"""The same where DARTS collapses."""
EPOCH = IMAGES // 2 // 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A method of the comparison.

    Attributes:
        title: for the page.
        engine: its search, but for the rate.
        steps: of each of its searches, as a share of all.
    """

    title: str
    engine: Gradient
    steps: float = 1.0


_PLAIN = Gradient()
_SIGMOID = WeightingSettings(kind="sigmoid")
_GUMBEL = WeightingSettings(kind="hard-gumbel", temperature=(10.0, 0.1))
_GROW = tuple(GrowSettings(keep=keep, overrides=(f"space.cells={cells}",)) for keep, cells in ((4, 1), (3, 2), (1, 3)))
_SHRINK = ShrinkSettings(at=(1 / 3, 2 / 3), keep=(4, 2), curriculum=(0.2, 0.5, 1.0))

ENTRIES = {
    "darts": Entry(title="DARTS, first order", engine=_PLAIN),
    "one-level": Entry(title="one level", engine=replace(_PLAIN, rule="one-level")),
    "mile-nas": Entry(title="MiLeNAS", engine=replace(_PLAIN, rule="mixed-level")),
    "fair-darts": Entry(title="FairDARTS", engine=replace(_PLAIN, options=_SIGMOID, zero_one=10.0)),
    "sigmoid": Entry(title="sigmoid gates alone", engine=replace(_PLAIN, options=_SIGMOID)),
    "nasp": Entry(title="NASP", engine=replace(_PLAIN, options=WeightingSettings(kind="one-hot"), start=0.5)),
    "gdas": Entry(title="GDAS", engine=replace(_PLAIN, options=_GUMBEL)),
    "gdas-warm": Entry(title="GDAS after a warm-up", engine=replace(_PLAIN, options=_GUMBEL, arch=ArchSettings(begin=0.5))),
    "snas": Entry(
        title="SNAS",
        engine=replace(_PLAIN, options=WeightingSettings(kind="gumbel-softmax", temperature=(1.0, 0.03)), rule="one-level"),
    ),
    "drnas": Entry(title="Dirichlet weights (DrNAS)", engine=replace(_PLAIN, options=WeightingSettings(kind="dirichlet"))),
    "reinmax": Entry(title="ReinMax", engine=replace(_PLAIN, options=WeightingSettings(kind="reinmax"))),
    "sdarts": Entry(title="random smoothing (SDARTS-RS)", engine=replace(_PLAIN, radius=0.3)),
    "darts-plus": Entry(title="DARTS+", engine=replace(_PLAIN, stop="skips")),
    "p-darts": Entry(title="P-DARTS", engine=replace(_PLAIN, grow=_GROW, cap=2), steps=1 / 3),
    "amended-darts": Entry(title="amended gradient", engine=replace(_PLAIN, rule="amended")),
    "darts-pt": Entry(title="projection (DARTS-PT)", engine=replace(_PLAIN, project=ProjectSettings(begin=0.7, items=1000))),
    "oles": Entry(title="frozen operations (OLES)", engine=replace(_PLAIN, freeze=FreezeSettings())),
    "da-nas": Entry(title="DA-NAS", engine=replace(_PLAIN, rule="one-level", shrink=_SHRINK)),
    "gates": Entry(title="sigmoid gates, one level (GOLD-NAS)", engine=replace(_PLAIN, options=_SIGMOID, rule="one-level")),
    "darts2": Entry(title="DARTS, second order", engine=replace(_PLAIN, rule="second-order")),
    "fair-darts-1": Entry(
        title="FairDARTS, zero-one loss of weight 1 (tried afterwards)", engine=replace(_PLAIN, options=_SIGMOID, zero_one=1.0)
    ),
}
"""Name -> method. None derives an edge without an operation other than as its strongest one, `none` included."""

COLLAPSE = ("darts", "darts-plus", "p-darts", "fair-darts", "sdarts", "darts-pt", "oles")
"""Methods that are run where DARTS collapses as well."""


def settings_of(name: str, seed: int, folder: str, long: bool = False) -> Settings:
    """The settings of one search.

    Args:
        name: of `ENTRIES`.
        seed: of everything random.
        folder: with CIFAR-10.
        long: at the rate and for the steps at which DARTS collapses.
    """
    entry = ENTRIES[name]
    rate, steps = (FAST, LONG) if long else (RATE, STEPS)
    arch = replace(entry.engine.arch, lr=rate)
    optim = OptimSettings(name="sgd", lr=0.025, weight_decay=3e-4, schedule="cosine", floor=0.04, clip=5.0)
    return Settings(
        method=name if name in METHODS else "darts",
        recipe="table",
        data=DataSettings(folder=folder, size=16),
        budget={},
        space=TableSpaceSettings(width=8, cells=1),
        weights=PhaseSettings(steps=round(entry.steps * steps), batch=64, optim=optim),
        search=SearchSettings(
            engine=replace(entry.engine, arch=arch, snapshots=max(1, round(entry.steps * steps / EPOCH))),
            evaluation=ScratchSettings(),
            trials=8,
            random_baseline=False,
        ),
        network=NetworkSettings(width=8, cells=1, drop_path=0.0, auxiliary=0.0, cutout=0),
        train=PhaseSettings(steps=200, batch=64, optim=optim),
        retrain=RetrainSettings(random_archs=1, seeds=1),
        seed=seed,
    )
