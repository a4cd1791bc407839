"""What DCNAS searches, builds and prices on the data of a run, and how its networks are trained."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from common.task import Networks
from segmentation.dcnas.costs import Costs
from segmentation.dcnas.derive import random_alike
from segmentation.dcnas.drawing import draw
from segmentation.dcnas.segmentor import segmentor
from segmentation.dcnas.settings import Settings
from segmentation.dcnas.space import SKIP, Network, dcnas_space, neighbour_space
from segmentation.dcnas.wirings import unet
from segmentation.phases import Segment
from segmentation.task import fits

if TYPE_CHECKING:
    from common.task import Kind, Phase
    from segmentation.facts import SegmentationFacts
    from segmentation.task import SegmentationTask

_TINY = {"layers": 3, "width": 4, "strides": (2, 4), "operators": ("ir_k3_e3", "ir_k5_e3", SKIP)}


def networks(settings: Settings, facts: SegmentationFacts) -> Networks:
    """Grids of cells at all scales, with their decode head.

    There are no prices (`Networks.price`): which cells are left of an architecture depends on all of its connections together.
    So hard budgets act on what is derived, which `guide` leads to.
    """

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
    s: Settings = task.settings
    match kind:
        case "standalone":
            parts = [("train", s.train, task.data.train)]
        case "supernet":
            parts = [("weights", s.weights, task.data.train)]
        case "relaxed":
            parts = [(name, s.weights, half) for name, half in zip(("weights", "architecture"), task.halves, strict=True)]
    return [Segment(name=name, settings=settings, split=split, augmentation=task.augmentation) for name, settings, split in parts]


def check(task: SegmentationTask) -> None:
    """Refuses halves of the training pictures, which a gradient-based search learns from, that are too small for the crop."""
    if task.settings.search.engine.name == "gradient":
        for half in task.halves:
            fits(half, task.settings.data.crop)


def spaces() -> dict[str, Network]:
    """Spaces of the same form as those of `SIZES`, small enough for tests."""
    return {
        "tiny dense": dcnas_space(**_TINY, partial=1),
        "tiny sampled": dcnas_space(**_TINY, inputs=3, gradual=False, partial=2),
        "tiny neighbour": neighbour_space(**_TINY, partial=1),
    }


def example(space: str) -> tuple[Tensor, ...]:
    """Inputs small enough for tests; of sizes that no stride divides."""
    return (torch.zeros(2, 3, 18, 21),)
