"""What each paper of the family changes in the search, as plain data. No torch here: `--help` reads it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from classification.cells.space import WITHOUT_NONE
from classification.darts.spaces import SpaceSettings, TableSpaceSettings
from common import system
from common.engines import AnyEngine, Gradient
from common.engines.dropping import GrowSettings, PruneSettings, ShrinkSettings
from common.engines.weighting import WeightingSettings
from common.errors import UserError
from common.stages.settings import PhaseSettings
from common.system import Stages
from common.train.optim import ArchSettings, OptimSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """What a paper changes in the pipeline.

    Attributes:
        title: name that its authors give it.
        paper: publication.
        authors: short citation.
        summary: one sentence for `--help`.
        search: its search, as published.
        weights: its training of the supernet's weights on CIFAR-10, as published.
        changes: what it changes in the settings of every recipe, as overrides.
        paper_changes: what it changes in those of the recipe paper besides.
        stages: stages of its own, in place of the standard ones.
    """

    title: str
    paper: str
    authors: str
    summary: str
    search: Gradient
    weights: PhaseSettings
    changes: tuple[str, ...] = ()
    paper_changes: tuple[str, ...] = ()
    stages: Stages | None = None

    def declared(self, name: str, recipes: Mapping[str, Callable[[], Any]]) -> system.Method:
        """The method as its system declares it."""
        return system.Method(
            name=name,
            title=self.title,
            paper=self.paper,
            authors=self.authors,
            summary=self.summary,
            recipes=recipes,
            stages=self.stages,
        )


_SGD = OptimSettings(name="sgd", lr=0.025, weight_decay=3e-4, schedule="cosine", floor=0.04, clip=5.0)
_EPOCH = 391
"""Steps of a DARTS search in which it sees its 25,000 training images, 64 at a time."""
_DARTS = Gradient(options=WeightingSettings(), arch=ArchSettings(), forbidden=("none",))

METHODS = {
    "darts": Method(
        title="DARTS, first order",
        paper="arXiv:1806.09055",
        authors="Liu et al., ICLR 2019",
        summary="search the cells of a classifier by gradients, from images to a report",
        search=_DARTS,
        weights=PhaseSettings(steps=50 * _EPOCH, batch=64, optim=_SGD),
    ),
    "darts2": Method(
        title="DARTS, second order",
        paper="arXiv:1806.09055",
        authors="Liu et al., ICLR 2019",
        summary="the architecture's gradient looks one step of the weights ahead",
        search=replace(_DARTS, rule="second-order"),
        weights=PhaseSettings(steps=50 * _EPOCH, batch=64, optim=_SGD),
    ),
    "snas": Method(
        title="SNAS",
        paper="arXiv:1812.09926",
        authors="Xie et al., ICLR 2019",
        summary="architectures are sampled, softly, and learn with the weights from all training images",
        search=replace(
            _DARTS,
            options=WeightingSettings(kind="gumbel-softmax", temperature=(1.0, 0.03)),
            rule="one-level",
            start=1.0,
            std=0.01,
            forbidden=(),
            snapshots=150,
        ),
        weights=PhaseSettings(steps=150 * 782, batch=64, optim=_SGD),
    ),
    "pc-darts": Method(
        title="PC-DARTS",
        paper="arXiv:1907.05737",
        authors="Xu et al., ICLR 2020",
        summary="operations see a quarter of the channels, and edges have weights of their own",
        search=replace(_DARTS, members=WeightingSettings(), arch=ArchSettings(lr=6e-4, begin=15 / 50)),
        weights=PhaseSettings(steps=50 * 98, batch=256, optim=replace(_SGD, lr=0.1, floor=0.0)),
        changes=("space.partial=4",),
    ),
    "gdas": Method(
        title="GDAS",
        paper="arXiv:1910.04465",
        authors="Dong and Yang, CVPR 2019",
        summary="one operation per edge is sampled in each step and computed alone",
        search=replace(_DARTS, options=WeightingSettings(kind="hard-gumbel", temperature=(10.0, 0.1)), snapshots=250),
        weights=PhaseSettings(steps=250 * _EPOCH, batch=64, optim=_SGD),
    ),
    "p-darts": Method(
        title="P-DARTS",
        paper="arXiv:1904.12760",
        authors="Chen et al., ICCV 2019",
        summary="three searches in a row, each deeper and with fewer operations, and few skip connections",
        search=replace(
            _DARTS,
            arch=ArchSettings(lr=6e-4, clip=5.0, begin=10 / 25),
            grow=tuple(
                GrowSettings(keep=keep, overrides=(f"space.cells={cells}", f"space.skip_dropout={rate}"))
                for keep, cells, rate in ((5, 5, 0.1), (3, 11, 0.4), (1, 17, 0.7))
            ),
            cap=2,
            snapshots=25,
        ),
        weights=PhaseSettings(steps=25 * 260, batch=96, optim=replace(_SGD, floor=0.0)),
    ),
    "gold-nas": Method(
        title="GOLD-NAS",
        paper="arXiv:2007.03331",
        authors="Bi et al., 2020",
        summary="every operation of every cell has a gate of its own; a rising price closes one after the other",
        search=Gradient(
            members=WeightingSettings(kind="sigmoid"),
            rule="one-level",
            arch=ArchSettings(lr=1e-2, weight_decay=0.0),
            prune=PruneSettings(every=390),
        ),
        weights=PhaseSettings(steps=50 * 2 * _EPOCH, batch=64, optim=_SGD),
        changes=("space.gated=true", 'space.operations=["skip_connect","sep_conv_3x3"]'),
        paper_changes=("space.cells=20",),
    ),
    "darts-plus": Method(
        title="DARTS+",
        paper="arXiv:1909.06035",
        authors="Liang et al., 2019",
        summary="the search stops when the normal cell has two skip connections",
        search=replace(_DARTS, stop="skips"),
        weights=PhaseSettings(steps=50 * _EPOCH, batch=64, optim=_SGD),
    ),
    "amended-darts": Method(
        title="amended DARTS",
        paper="arXiv:1910.11831",
        authors="Bi et al., 2019",
        summary="the architecture's gradient has a term with the Hessian of the weights in the place of its inverse",
        search=replace(_DARTS, rule="amended"),
        weights=PhaseSettings(steps=50 * _EPOCH, batch=64, optim=_SGD),
    ),
    "fair-darts": Method(
        title="FairDARTS",
        paper="arXiv:1911.12126",
        authors="Chu et al., ECCV 2020",
        summary="operations have gates of their own, which a loss drives to 0 or 1",
        search=Gradient(options=WeightingSettings(kind="sigmoid"), arch=ArchSettings(lr=3e-3), zero_one=10.0, threshold=0.85),
        weights=PhaseSettings(steps=50 * 195, batch=128, optim=replace(_SGD, lr=0.005, floor=0.2)),
        changes=("space.inputs=0", f"space.operations={json.dumps(WITHOUT_NONE)}"),
    ),
    "nasp": Method(
        title="NASP",
        paper="arXiv:1905.13577",
        authors="Yao et al., AAAI 2020",
        summary="one operation per edge and two edges per node are on at a time; the values behind them learn",
        search=Gradient(options=WeightingSettings(kind="one-hot"), members=WeightingSettings(kind="one-hot", kept=2), start=0.5),
        weights=PhaseSettings(steps=50 * _EPOCH, batch=64, optim=_SGD),
        changes=(f"space.operations={json.dumps(WITHOUT_NONE)}",),
    ),
    "merge-nas": Method(
        title="MergeNAS",
        paper="https://doi.org/10.24963/ijcai.2020/424",
        authors="Wang et al., IJCAI 2020",
        summary="the convolutions of an edge are merged into one while the search goes on",
        search=_DARTS,
        weights=PhaseSettings(steps=50 * _EPOCH, batch=64, optim=_SGD),
        changes=("space.merged=true",),
    ),
    "mile-nas": Method(
        title="MiLeNAS",
        paper="arXiv:2003.12238",
        authors="He et al., CVPR 2020",
        summary="the architecture learns from training and validation loss; the best cells of every size are told",
        search=replace(_DARTS, rule="mixed-level", scored=1000),
        weights=PhaseSettings(steps=50 * _EPOCH, batch=64, optim=_SGD),
    ),
    "da-nas": Method(
        title="DA-NAS",
        paper="arXiv:2003.12563",
        authors="Dai et al., ECCV 2020",
        summary="the worst operations go early, on few easy classes; the others are compared on all",
        search=replace(
            _DARTS, rule="one-level", shrink=ShrinkSettings(at=(1 / 3, 2 / 3), keep=(5, 3), curriculum=(0.2, 0.5, 1.0))
        ),
        weights=PhaseSettings(steps=50 * _EPOCH, batch=64, optim=_SGD),
    ),
}
"""Name on the command line -> method.

Departures and reconstructions. All: biases and norms are not decayed (there: all weights are). SNAS searches without its
resource term (`search.engine.cost=dual` and a budget take its place) and without drop-path; its steps are 150 epochs of all
50,000 images, which it learns weights and architecture from. GDAS searches both kinds of cell (its best result fixes the
reduction cell by hand); its 250 epochs are those of public reimplementations. GOLD-NAS: images are cropped and mirrored,
without AutoAugment; rounds, thresholds and prices are reconstructions. NASP searches the operations of DARTS without none, on
edges of both cells, in the place of its own lists. MergeNAS: separable convolutions are applied once in the supernet. DA-NAS:
its blocks are operations of the cells of DARTS; a classifier by class means says which classes are easy, in the place of a
trained probe; there is no term of cost (`search.engine.cost=dual` and a budget take its place).
"""


def check_idea(method: str, space: SpaceSettings | TableSpaceSettings, engine: AnyEngine) -> None:
    """Refuses an idea that belongs to another space or engine, and would do nothing in this one.

    Raises:
        UserError: names the setting.
    """
    if isinstance(space, SpaceSettings):
        if space.skip_dropout and not isinstance(engine, Gradient):
            raise UserError(
                f"space.skip_dropout={space.skip_dropout:g} with search.engine={engine.name}: it belongs to gradient-based "
                "searches; set it to 0"
            )
        return
    for word in METHODS[method].changes:
        if word.partition("=")[0] in ("space.partial", "space.merged", "space.gated"):
            raise UserError(
                f"space=nasbench201 with {method}: {word} is the method's idea and belongs to the cells of DARTS; give another "
                "method, darts say"
            )
