"""DARTS as the laws and `describe` see it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from classification.darts.genotypes import published, read_genotype, to_text
from classification.darts.model import build
from classification.darts.opened import open_run
from classification.darts.space import SKELETONS, Network, darts_space, in_space, standalone
from common.cost.count import count
from common.task import PublishedNetwork, System

CONVENTION = (
    "{} skeleton of width {} and {} cells, {} classes at {}x{}: MACs of convolutions and linear layers, all trainable "
    "parameters, without the auxiliary classifier of training"
)

SPACES: dict[str, Callable[[], Network]] = {
    "small cifar": partial(darts_space, nodes=2, width=4, cells=3),
    "small imagenet": partial(darts_space, nodes=2, none=False, width=4, cells=3, skeleton="imagenet"),
    "small partial": partial(darts_space, nodes=2, none=False, width=8, cells=3, partial=2),
}
"""Spaces of the same form as those of the recipes, small enough for tests."""


def example(space: str) -> tuple[Tensor, ...]:
    """Inputs small enough for tests."""
    size = 64 if space == "small imagenet" else 16
    return (torch.zeros(2, 3, size, size),)


def describe(text: str, space: str | None) -> dict[str, Any]:
    """Counts of the network in which a cell is trained and measured.

    Args:
        text: a published name, or a genotype or architecture as `read_genotype` takes it.
        space: name of the skeleton around the cells, `cifar` or `imagenet`; CIFAR's if none is given.

    Raises:
        UserError: no such skeleton, name or file, or a damaged file.
    """
    skeleton = space or "cifar"
    genotype = read_genotype(text)
    network = replace(standalone(genotype, skeleton), auxiliary=True)
    form = SKELETONS[skeleton]
    image = torch.empty(1, 3, form.image, form.image, device="meta")
    with torch.device("meta"):
        whole = build(network)
    beside = sum(p.numel() for p in whole.get_submodule("auxiliary").parameters())
    cost = count(whole, (image,))
    return {
        "system": "darts",
        "arch": text,
        "skeleton": skeleton,
        "convention": CONVENTION.format(skeleton, form.width, form.cells, form.classes, form.image, form.image),
        "params": cost.params - beside,
        "macs": cost.macs,
        "params_auxiliary": beside,
        "genotype": to_text(genotype),
        "description": asdict(replace(network, auxiliary=False)),
    }


def _published(name: str) -> PublishedNetwork:
    counts = {
        "DARTS_V1": (3_169_414, 500_987_520),
        "DARTS_V2": (3_349_342, 528_359_040),
        "SNAS_mild": (2_661_382, 422_218_368),
        "SNAS_aggressive": (2_313_622, 374_912_640),
        "FairDARTS_a": (2_360_782, 371_455_200),
        "NASNet": (3_830_950, 603_452_448),
    }
    params, macs = counts.get(name, (None, None))
    return PublishedNetwork(
        description=lambda: in_space(published()[name])[0],
        arch=lambda: in_space(published()[name])[1],
        params=params,
        macs=macs,
    )


SYSTEM = System(
    name="darts",
    title="DARTS",
    paper="arXiv:1806.09055",
    spaces=SPACES,
    build=build,
    example=example,
    published={name: _published(name) for name in published()},
    describe=describe,
    open_run=open_run,
)
"""DARTS, with the published cells of its family."""
