"""What each of the four papers changes in the pipeline, as plain data. No torch here: `--help` reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from binary.cells.space import Form, Precision
from common import system
from common.engines import Gradient
from common.engines.dropping import AbandonSettings
from common.engines.weighting import WeightingSettings
from common.stages.settings import PhaseSettings
from common.train.optim import ArchSettings, OptimSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """What a paper changes in the pipeline.

    Attributes:
        title: name that its authors give it.
        paper: publication.
        authors: short citation.
        summary: one sentence for `--help`.
        form: layers of its cells.
        precision: what is binary in its search.
        partial: an operation of the search sees 1 channel of so many.
        search: its search, as published.
        weights: its training of the supernet's weights on CIFAR-10, as published.
        kernels: weight of CP-NAS's loss in the training of a network alone.
    """

    title: str
    paper: str
    authors: str
    summary: str
    form: Form
    search: Gradient
    weights: PhaseSettings
    precision: Precision = "binary"
    partial: int = 1
    kernels: float = 0.0

    def declared(self, name: str, recipes: Mapping[str, Callable[[], Any]]) -> system.Method:
        """The method as its system declares it."""
        return system.Method(
            name=name, title=self.title, paper=self.paper, authors=self.authors, summary=self.summary, recipes=recipes
        )


_SGD = OptimSettings(name="sgd", lr=0.025, weight_decay=3e-4, schedule="cosine", floor=0.04, clip=5.0)
_EPOCH = 391
"""Steps of a search in which it sees half of CIFAR-10's 50,000 training images, 64 at a time."""
_SAMPLES = 3 * sum(range(2, 9))
"""Sub-networks that a search by abandoning trains: three passes for every number of operations from 8 to 2."""

METHODS = {
    "bnas-kim": Method(
        title="BNAS (Kim et al.)",
        paper="arXiv:2002.06963",
        authors="Kim et al., ECCV 2020",
        summary="search binary cells without separable convolutions by gradients, with zero as an operation of its own",
        form="kim",
        search=Gradient(arch=ArchSettings(), diversity=1.0),
        weights=PhaseSettings(steps=50 * _EPOCH, batch=64, optim=_SGD),
    ),
    "bnas-beihang": Method(
        title="BNAS (Chen et al.)",
        paper="arXiv:1911.10862",
        authors="Chen et al., AAAI 2020",
        summary="search cells with binary kernels: sub-networks are sampled, and the worst operation of every edge is abandoned",
        form="separable",
        precision="weights",
        partial=4,
        search=Gradient(rule="none", abandon=AbandonSettings(passes=3, items=5000)),
        weights=PhaseSettings(steps=_SAMPLES * 98, batch=256, optim=_SGD),
    ),
    "cp-nas": Method(
        title="CP-NAS",
        paper="arXiv:2005.00057",
        authors="Zhuo et al., IJCAI 2020",
        summary="search binary cells beside a parent with real weights, whose accuracy joins the score of an operation",
        form="separable",
        search=Gradient(rule="none", abandon=AbandonSettings(passes=3, items=5000, parent=2.0)),
        weights=PhaseSettings(steps=_SAMPLES * 98, batch=256, optim=_SGD),
        kernels=1e-4,
    ),
    "bats": Method(
        title="BATS",
        paper="arXiv:2003.01711",
        authors="Bulat et al., ECCV 2020",
        summary="search cells of grouped binary convolutions by gradients, under a falling temperature",
        form="grouped",
        precision="activations",
        search=Gradient(
            options=WeightingSettings(temperature=(1.0, 0.2), shape="exponential"), arch=ArchSettings(), forbidden=("none",)
        ),
        weights=PhaseSettings(steps=50 * _EPOCH, batch=64, optim=_SGD),
    ),
}
"""Name on the command line -> method.

Departures and reconstructions. BNAS (Kim et al.): the architecture is that of the last step, in the place of the epoch with the
best validation accuracy; weights have the rates of ordinary binary networks, without the factor of XNOR-Net's update. BNAS
(Chen et al.) and CP-NAS: steps of a sample, the passes, the optimiser and the items of a scoring are not published; of the
operations left, the two strongest edges of a node are taken, as in DARTS; a parent and its child have one optimiser, whose steps
of both are independent but for the clipping of the gradient. BATS: the temperature falls from 1 to 0.2 in equal ratios, which
its paper leaves open; its cells were not published.
"""
