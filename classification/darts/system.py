"""DARTS and the searches that share its cells, as a declaration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import tyro

from classification.darts.methods import METHODS
from classification.darts.recipes import RECIPES
from classification.darts.settings import Settings
from common.deferred import Deferred
from common.options import DescribeOptions, without_default
from common.system import System


@dataclass(frozen=True, slots=True, kw_only=True)
class Describing(DescribeOptions):
    """Options of `describe darts`."""

    arch: Annotated[str, tyro.conf.arg(metavar="ARCH")]
    """A published name (DARTS_V2), an architecture file (arch.json), or a genotype: a file with one, or its text."""
    skeleton: Annotated[str | None, without_default("NAME")] = None
    """Network around the cells: cifar (36 channels, 20 cells; the default) or imagenet (48 channels, 14 cells)."""


def notes(settings: Settings) -> list[str]:
    """What a reader of the report must know."""
    found = [
        "Costs: params and macs are those of the network that is trained alone, for one image of the data's size (convolutions "
        "and linear layers), without the second classifier of training.",
    ]
    if settings.search.engine.name != "gradient":
        return found
    return [
        *found,
        "The search learns from the training split alone.",
        "skip_share (in metrics.jsonl, stage search) near 1 and few weights in the found cells tell the collapse of "
        "differentiable search; entropy is 1 where all options are alike and 0 where every decision is made.",
    ]


HERE = "classification.darts"

SYSTEM = System(
    name="darts",
    task=Deferred("classification.task", "ClassificationTask"),
    settings=Settings,
    methods=tuple(method.declared(name, RECIPES[name]) for name, method in METHODS.items()),
    networks=Deferred(f"{HERE}.networks", "networks"),
    phases=Deferred(f"{HERE}.phases", "phases"),
    build=Deferred(f"{HERE}.model", "build"),
    spaces=Deferred(f"{HERE}.networks", "spaces"),
    example=Deferred(f"{HERE}.networks", "example"),
    published=Deferred(f"{HERE}.networks", "published"),
    describe=Deferred(f"{HERE}.names", "describe"),
    check=Deferred(f"{HERE}.networks", "check"),
    notes=notes,
    describing=Describing,
)
"""DARTS and the methods of its line, those of `METHODS`; `describe` knows the published cells of the family."""
