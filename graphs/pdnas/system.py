"""PDNAS and the searches that share its space, as a declaration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import tyro

from common.deferred import Deferred
from common.options import DescribeOptions, without_default
from common.system import System
from graphs.pdnas.methods import METHODS
from graphs.pdnas.settings import Settings
from graphs.settings import GraphOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Describing(DescribeOptions):
    """Options of `describe pdnas`."""

    arch: Annotated[str, tyro.conf.arg(metavar="ARCH")]
    """GCN, GAT, SAGE, ARMA or APPNP, or an architecture file (arch.json)."""
    data: Annotated[str | None, without_default("FOLDER")] = None
    """Folder of a data set, whose features and classes are taken."""
    name: Annotated[str | None, without_default("NAME")] = None
    """Name of the data set in the folder."""
    graph: Annotated[str | None, without_default("NAME")] = None
    """Without data: Cora (the default), CiteSeer, PubMed, or features and classes, 1433x7 say."""


def notes(settings: Settings) -> list[str]:
    """What a reader of the report must know."""
    return [
        "Costs: params are all trainable parameters; macs are the multiply-adds of linear layers for all nodes of the graph, its "
        "features taken as dense.",
        "The search, tuning and early stopping read the validation nodes, for every network alike; test nodes are read once, "
        "after all of it. Baseline is GCN; the other hand-made networks are of one operator each.",
    ]


HERE = "graphs.pdnas"

SYSTEM = System(
    name="pdnas",
    task=Deferred("graphs.task", "GraphTask"),
    settings=Settings,
    methods=METHODS,
    networks=Deferred(f"{HERE}.networks", "networks"),
    phases=Deferred(f"{HERE}.networks", "phases"),
    build=Deferred(f"{HERE}.model", "build"),
    spaces=Deferred(f"{HERE}.networks", "spaces"),
    example=Deferred(f"{HERE}.networks", "example"),
    published=Deferred(f"{HERE}.names", "published"),
    describe=Deferred(f"{HERE}.names", "describe"),
    notes=notes,
    check=Deferred(f"{HERE}.networks", "check"),
    options=GraphOptions,
    describing=Describing,
)
"""PDNAS, and GraphNAS, evolution, halving and random search in its space."""
