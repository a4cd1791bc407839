"""The networks of GAN Compression for the core: those of a run, of the laws, and the released ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

import torch
from torch import Tensor

from common.cost.conventions import output_elements
from common.cost.costs import Entry, Tabulated
from common.cost.price import Price
from common.space import decisions
from common.supernet import opened
from common.system import PublishedNetwork
from common.task import Networks
from gan.compression.model import build
from gan.compression.settings import Settings
from gan.compression.space import CHOICES, PUBLISHED, Generator, open_space, uniform_archs
from gan.facts import TranslationFacts


def networks(settings: Settings, facts: TranslationFacts) -> Networks:
    """Generators of all widths; the baseline is the widest of one width that keeps the budget, else the narrowest."""
    space = open_space(settings.space, settings.blocks, settings.dropout)
    costs = Tabulated(partial(cost_tables, space, facts.size))
    alike = uniform_archs(space, settings.space)
    fitting = {
        width: arch
        for width, arch in alike.items()
        if all(costs.of(arch)[metric] <= upper for metric, upper in settings.budget.items())
    }
    widest = next(iter(fitting), min(alike))
    paths = list(decisions(space))
    return Networks(
        space=space,
        build=build,
        baseline=alike[widest],
        costs=costs,
        hand_made={f"width {width}": arch for width, arch in fitting.items() if width != widest},
        order=[paths[:2], paths[2:-2], paths[-2:]],
        price=costs.price,
    )


@lru_cache(maxsize=8)  # variants of a task and resumed runs ask for the same tables, which take a second
def cost_tables(space: Generator, side: int) -> dict[str, Entry]:
    """Where the costs of a generator are read from: for one picture of `side` pixels, as the paper counts them."""
    with torch.device("meta"):
        price = Price(build(opened(space)), (torch.empty(1, 3, side, side),), space, convention=output_elements)
    return {"params": Entry(price, "params"), "macs": Entry(price, "macs")}


def spaces() -> dict[str, Any]:
    """The choice sets, and the tiny one with dense blocks, of which the dense teacher is an instance."""
    return {**{name: open_space(name) for name in CHOICES}, "tiny dense": replace(open_space("tiny", 3), mobile=False)}


def example(space: str) -> tuple[Tensor, ...]:
    """Inputs small enough for tests."""
    return (torch.zeros(2, 3, 24, 24),)


def published() -> Mapping[str, PublishedNetwork]:
    """The released generators, and the hand-made ones that they are compared with."""

    def entry(name: str) -> PublishedNetwork:
        released = PUBLISHED[name]
        space, arch = released.open()
        return PublishedNetwork(description=lambda: space, arch=lambda: arch, params=released.params, macs=released.macs)

    return {name: entry(name) for name in PUBLISHED}
