"""The searches that share the space of PDNAS, as plain data. No torch here: `--help` reads it."""

from __future__ import annotations

from dataclasses import dataclass

from common.differentiable.settings import RelaxedSearchSettings, WeightingSettings

from common.stages.settings import ScratchSettings
from common.train.optim import ArchSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """How an architecture is found.

    Attributes:
        title: as its authors call it.
        paper: where it was published.
        search: settings of the search; candidates trained from scratch where it has no weights of its own.
    """

    title: str
    paper: str
    search: RelaxedSearchSettings | ScratchSettings


PDNAS = RelaxedSearchSettings(
    options=WeightingSettings(kind="annealed-gumbel", noise=(1.0, 0.0)),
    rule="first-order",
    arch=ArchSettings(lr=1e-2, betas=(0.9, 0.999), weight_decay=0.0, begin=0.2),
    std=0.0,
)
"""Warm-up in a fifth of the steps, then weights and architecture in turn (algorithm 1; rates and shares are reconstructions)."""

METHODS = {
    "pdnas": Method(title="PDNAS", paper="arXiv:2003.09676", search=PDNAS),
    "graphnas": Method(title="GraphNAS", paper="arXiv:1904.09981", search=ScratchSettings(engine="reinforce")),
    "evolution": Method(title="Aging evolution on graphs", paper="arXiv:1802.01548", search=ScratchSettings(engine="evolution")),
    "halving": Method(
        title="Successive halving on graphs",
        paper="arXiv:1502.07943",
        search=ScratchSettings(engine="halving", candidates=32, shares=(0.25, 1.0), eta=4),
    ),
    "random": Method(title="Random search on graphs", paper="arXiv:1902.07638", search=ScratchSettings(engine="random")),
}
"""Name on the command line -> method."""
