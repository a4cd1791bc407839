"""What each paper of the family changes in the search, as plain data. No torch here: `--help` reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from common import system
from common.engines import Gradient
from common.engines.gradient import WeightingSettings
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
        space: what it changes in the space of every recipe, as overrides of settings.
        stages: stages of its own, in place of the standard ones.
    """

    title: str
    paper: str
    authors: str
    summary: str
    search: Gradient
    weights: PhaseSettings
    space: tuple[str, ...] = ()
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
        space=("space.partial=4",),
    ),
    "gdas": Method(
        title="GDAS",
        paper="arXiv:1910.04465",
        authors="Dong and Yang, CVPR 2019",
        summary="one operation per edge is sampled in each step and computed alone",
        search=replace(_DARTS, options=WeightingSettings(kind="hard-gumbel", temperature=(10.0, 0.1)), snapshots=250),
        weights=PhaseSettings(steps=250 * _EPOCH, batch=64, optim=_SGD),
    ),
}
"""Name on the command line -> method.

Departures and reconstructions: biases and norms are not decayed (there: all weights are). SNAS searches without its resource
term (`search.cost=dual` and a budget take its place) and without drop-path; its steps are 150 epochs of all 50,000 images, which
it learns weights and architecture from. GDAS searches both kinds of cell (its best result fixes the reduction cell by hand);
its 250 epochs are those of public reimplementations.
"""
