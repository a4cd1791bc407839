"""DARTS and the searches that share its cells, as a declaration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from classification.darts.methods import METHODS
from classification.darts.networks import by_hand, evaluated, searched
from classification.darts.recipes import RECIPES
from classification.darts.settings import Settings
from classification.darts.space import COUNTS, SKELETONS, arch_of, darts_space, genotype_of, in_space, standalone
from classification.settings import classification
from common.errors import UserError
from common.options import DescribeOptions
from common.space import Arch, decode
from common.system import Method, PublishedNetwork, System

if TYPE_CHECKING:
    from torch import Tensor, nn

    from classification.facts import ClassificationFacts
    from classification.task import ClassificationTask
    from common.task import Kind, Networks, Phase

CONVENTION = (
    "{} skeleton of width {} and {} cells, {} classes at {}x{}: MACs of convolutions and linear layers, all trainable "
    "parameters, without the auxiliary classifier of training"
)
AUXILIARY_SIDES = range(32, 41)
"""Sides of images on which the second classifier's convolutions end at a single pixel."""
SPACES = {
    "small cifar": partial(darts_space, nodes=2, width=4, cells=3),
    "small imagenet": partial(darts_space, nodes=2, none=False, width=4, cells=3, skeleton="imagenet"),
    "small partial": partial(darts_space, nodes=2, none=False, width=8, cells=3, partial=2),
}
"""Spaces of the same form as those of the recipes, small enough for tests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Describing(DescribeOptions):
    """Options of `describe darts`: its architectures are published names (DARTS_V2), or files and texts with a genotype."""

    skeleton: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None
    """Network around the cells: cifar (36 channels, 20 cells; the default) or imagenet (48 channels, 14 cells)."""


def networks(settings: Settings, facts: ClassificationFacts) -> Networks:
    """Stacks of searched cells: a small one is searched, a large one is trained alone."""
    from classification.darts.drawing import draw_genotype
    from classification.darts.model import build, check, cost_tables, counted
    from common.supernet import opened
    from common.task import Networks

    space = searched(settings, len(facts.classes))
    check(opened(space))
    check(opened(evaluated(settings.network, space)))
    baseline = arch_of(space, by_hand(settings.space.nodes))
    assert baseline is not None, "the space has every cell of two edges a node"
    tables = cost_tables(evaluated(settings.network, space), facts.image_size)

    def draw(arch: Arch) -> str:
        return draw_genotype(genotype_of(decode(space, arch)))

    return Networks(
        space=space,
        build=build,
        baseline=baseline,
        # Under a budget many costs are asked for: from tables.
        costs=tables if settings.budget else counted(space, partial(evaluated, settings.network), tables, facts.image_size),
        alone=partial(evaluated, settings.network),
        draw=draw,
        price=tables.price,
    )


def phases(task: ClassificationTask, kind: Kind) -> list[Phase]:
    """See `classification.darts.phases`."""
    from classification.darts.phases import phases

    return list(phases(task, kind))


def check(task: ClassificationTask) -> None:
    """Refuses images that the second classifier cannot read, and too few of them."""
    from classification.task import enough

    s, size = task.settings, task.data.image_size
    if s.network.auxiliary and size not in AUXILIARY_SIDES:
        raise UserError(
            f"network.auxiliary={s.network.auxiliary}: the second classifier reads images of {AUXILIARY_SIDES[0]} to "
            f"{AUXILIARY_SIDES[-1]} pixels, these have {size}; set network.auxiliary=0 or data.size=32"
        )
    enough(task.data.train, "train", s.train)
    for half in (task.data.train,) if s.one_level else task.halves:
        enough(half, "weights", s.weights)


def build(description: Any) -> nn.Module:
    """See `classification.darts.model.build`."""
    from classification.darts.model import build

    return build(description)


def example(space: str) -> tuple[Tensor, ...]:
    """Inputs small enough for tests."""
    import torch

    size = 64 if space == "small imagenet" else 16
    return (torch.zeros(2, 3, size, size),)


def published() -> Mapping[str, PublishedNetwork]:
    """The published cells of the family, in CIFAR's skeleton."""
    from classification.darts.genotypes import published

    def entry(name: str, genotype: Any) -> PublishedNetwork:
        params, macs = COUNTS.get(name, (None, None))
        return PublishedNetwork(
            description=lambda: in_space(genotype)[0], arch=lambda: in_space(genotype)[1], params=params, macs=macs
        )

    return {name: entry(name, genotype) for name, genotype in published().items()}


def describe(options: Describing) -> dict[str, Any]:
    """Counts of the network in which a cell is trained and measured."""
    import torch

    from classification.darts.genotypes import read_genotype, to_text
    from common.describe import counted

    skeleton = options.skeleton or "cifar"
    genotype = read_genotype(options.arch)
    network = replace(standalone(genotype, skeleton), auxiliary=False)
    form = SKELETONS[skeleton]
    cost = counted(lambda: build(network), lambda: (torch.empty(1, 3, form.image, form.image),))
    with torch.device("meta"):
        beside = sum(p.numel() for p in build(replace(network, auxiliary=True)).get_submodule("auxiliary").parameters())
    return {
        "system": "darts",
        "arch": options.arch,
        "skeleton": skeleton,
        "convention": CONVENTION.format(skeleton, form.width, form.cells, form.classes, form.image, form.image),
        "params": cost.params,
        "macs": cost.macs,
        "params_auxiliary": beside,
        "genotype": to_text(genotype),
        "description": asdict(network),
    }


def notes(settings: Settings) -> list[str]:
    """What a reader of the report must know."""
    return [
        "Costs: params and macs are those of the network that is trained alone, for one image of the data's size (convolutions "
        "and linear layers), without the second classifier of training.",
        "The search learns from the training split alone. Networks are chosen by the validation split and compared on the test "
        "split, which no training and no choice has read, unless the data has none of its own; see Data.",
        "skip_share (in metrics.jsonl, stage search) near 1 and few weights in the found cells tell the collapse of "
        "differentiable search; entropy is 1 where all options are alike and 0 where every decision is made.",
    ]


SYSTEM = System(
    name="darts",
    task=classification,
    settings=Settings,
    methods=tuple(
        Method(
            name=name,
            title=method.title,
            paper=method.paper,
            authors=method.authors,
            summary=method.summary,
            recipes=RECIPES[name],
            stages=method.stages,
        )
        for name, method in METHODS.items()
    ),
    networks=networks,
    phases=phases,
    check=check,
    notes=notes,
    build=build,
    spaces=SPACES,
    example=example,
    published=published,
    describe=describe,
    describing=Describing,
)
"""DARTS of both orders, SNAS, PC-DARTS and GDAS; `describe` knows the published cells of the family."""
