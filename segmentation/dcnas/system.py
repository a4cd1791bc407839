"""DCNAS as a declaration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from common.options import DescribeOptions
from common.system import Method, PublishedNetwork, System
from segmentation.dcnas.recipes import RECIPES
from segmentation.dcnas.settings import Settings
from segmentation.dcnas.sizes import SIZES
from segmentation.dcnas.space import SKIP, Network, dcnas_space, neighbour_space
from segmentation.heads import DecodeHead
from segmentation.settings import segmentation

if TYPE_CHECKING:
    from torch import Tensor, nn

    from common.task import Kind, Networks, Phase
    from segmentation.facts import SegmentationFacts
    from segmentation.task import SegmentationTask

CONVENTION = (
    "{} classes at {}x{} (height x width): MACs of convolutions, all trainable parameters, of the network without orphans; with "
    "the decode head, and of the backbone alone"
)
_TINY = {"layers": 3, "width": 4, "strides": (2, 4), "operators": ("ir_k3_e3", "ir_k5_e3", SKIP)}
SPACES = {
    "tiny dense": partial(dcnas_space, **_TINY, partial=1),
    "tiny sampled": partial(dcnas_space, **_TINY, inputs=3, gradual=False, partial=2),
    "tiny neighbour": partial(neighbour_space, **_TINY, partial=1),
}
"""Spaces of the same form as those of `SIZES`, small enough for tests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Describing(DescribeOptions):
    """Options of `describe dcnas`: its architectures are unet (a hand-made wiring), or files."""

    space: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None
    """Size of the search: smoke, small, paper, small-neighbour or paper-neighbour. By default the one that a file was
    written for, and paper for unet."""


def networks(settings: Settings, facts: SegmentationFacts) -> Networks:
    """Grids of cells at all scales, with their decode head.

    There are no prices (`Networks.price`): which cells are left of an architecture depends on all of its connections together.
    So hard budgets act on what is derived, which `guide` leads to.
    """
    from common.task import Networks
    from segmentation.dcnas.costs import Costs
    from segmentation.dcnas.derive import random_alike
    from segmentation.dcnas.drawing import draw
    from segmentation.dcnas.segmentor import segmentor
    from segmentation.dcnas.wirings import unet

    space, classes = settings.space.open(), len(facts.classes)
    baseline = unet(space)
    costs = Costs(space, settings.head, classes, facts.size, baseline)
    engine = settings.search.engine
    forbidden = engine.forbidden if engine.name == "gradient" else ()

    def build(description: Network, seed: int) -> nn.Module:
        return segmentor(description, settings.head, classes, seed)

    return Networks(
        space=space,
        build=build,
        baseline=baseline,
        costs=costs,
        random_like=partial(random_alike, space, forbidden=forbidden),
        draw=partial(draw, space),
        guide=costs.guide,
    )


def phases(task: SegmentationTask, kind: Kind) -> list[Phase]:
    """In a search the weights learn from one half of the training pictures and the architecture from the other."""
    from segmentation.phases import Segment

    s: Settings = task.settings
    match kind:
        case "standalone":
            parts = [("train", s.train, task.data.train)]
        case "supernet":
            parts = [("weights", s.weights, task.data.train)]
        case "relaxed":
            parts = [(name, s.weights, half) for name, half in zip(("weights", "architecture"), task.halves, strict=True)]
    return [Segment(name=name, settings=settings, split=split, augmentation=task.augmentation) for name, settings, split in parts]


def build(description: Any) -> nn.Module:
    """See `segmentation.dcnas.model.build`."""
    from segmentation.dcnas.model import build

    return build(description)


def example(space: str) -> tuple[Tensor, ...]:
    """Inputs small enough for tests; of sizes that no stride divides."""
    import torch

    return (torch.zeros(2, 3, 18, 21),)


def published() -> Mapping[str, PublishedNetwork]:
    """None: the paper's architecture is published as a figure alone."""
    return {}


def describe(options: Describing) -> dict[str, Any]:
    """Counts of the network of an architecture, as it is trained at last: without orphans, its operators on all channels."""
    import torch

    from common.describe import counted
    from segmentation.dcnas.derive import network_of
    from segmentation.dcnas.names import read_arch
    from segmentation.dcnas.segmentor import segmentor

    name, space, arch = read_arch(options.arch, options.space)
    size, network = SIZES[name], network_of(space, arch)
    height, width = size.image
    head = DecodeHead(channels=size.head)
    pixels = torch.empty(1, 3, height, width, dtype=torch.uint8, device="meta")
    cost = counted(lambda: segmentor(network, head, size.classes), lambda: (pixels,))
    inner = counted(lambda: build(network), lambda: (pixels.float(),))
    return {
        "system": "dcnas",
        "arch": options.arch,
        "space": name,
        "convention": CONVENTION.format(size.classes, height, width),
        "params": cost.params,
        "macs": cost.macs,
        "params_backbone": inner.params,
        "macs_backbone": inner.macs,
        "cells": f"{len(network.cells)} of {len(space.cells)}",
        "description": asdict(network),
    }


def notes(settings: Settings) -> list[str]:
    """What a reader of the report must know."""
    return [
        "DCNAS's code is not public: where the paper's text leaves a choice open, the one made here is a reconstruction; the "
        "settings and the docstrings name them.",
        "Costs: params and macs are those of the network that is trained alone, without orphan cells, its operators on all "
        "channels, with its head, for one picture of the training pictures' size (convolutions and linear layers).",
        "Random architectures are derived as the found one is: each of their cells has as many inputs, sampled at random.",
        "The search learns from the training split alone, weights from one half of it and the architecture from the other. "
        "Networks are chosen by the validation split and compared on the test split, which no training and no choice has read, "
        "unless the data has none of its own; see Data.",
    ]


SYSTEM = System(
    name="dcnas",
    task=segmentation,
    settings=Settings,
    methods=(
        Method(
            name="dcnas",
            title="DCNAS",
            paper="arXiv:2003.11883",
            authors="Zhang et al., CVPR 2021",
            summary="search which cells of a network at all scales are connected, and how, from images to a report",
            recipes=RECIPES,
        ),
    ),
    networks=networks,
    phases=phases,
    notes=notes,
    build=build,
    spaces=SPACES,
    example=example,
    published=published,
    describe=describe,
    describing=Describing,
)
"""DCNAS; the paper's architecture is published as a figure alone."""
