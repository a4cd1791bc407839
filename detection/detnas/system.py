"""DetNAS as a declaration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from common.options import DescribeOptions, RunOptions
from common.space import decode
from common.system import Method, PublishedNetwork, System
from detection.detnas.recipes import RECIPES, with_head
from detection.detnas.settings import Settings
from detection.detnas.space import COUNTS, PUBLISHED, SIZES, DetectorNet, backbone, classifier, published_classifier, uniform_arch
from detection.heads import PAPER_FASTER_RCNN, SMALL_RETINANET
from detection.settings import detection

if TYPE_CHECKING:
    from torch import Tensor, nn

    from common.task import Kind, Networks, Phase
    from detection.facts import DetectionFacts
    from detection.task import DetectionTask

CONVENTION = "ImageNet classifier (1000 classes) at 224x224: MACs of convolutions and linear layers, all trainable parameters"
TINY = "tiny detector"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(RunOptions):
    """Options of a DetNAS run."""

    head: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None
    """retinanet or faster_rcnn, instead of the recipe's."""

    def change(self, settings: Settings) -> Settings:
        """See `RunOptions.change`."""
        return settings if self.head is None else with_head(settings, self.head)


@dataclass(frozen=True, slots=True, kw_only=True)
class Describing(DescribeOptions):
    """Options of `describe detnas`: its architectures are published names (COCO_FPN_300M), files, or genes ("2 1 2 0 ...")."""

    space: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None
    """Size of the space that the architecture belongs to, where the notation does not tell."""


def networks(settings: Settings, facts: DetectionFacts) -> Networks:
    """Detectors with DetNAS's backbones."""
    from common.cost.costs import Tabulated
    from common.task import Networks
    from detection.detnas.model import cost_tables, detector

    space = DetectorNet(backbone=backbone(settings.space), head=settings.head, classes=len(facts.classes))
    costs = Tabulated(partial(cost_tables, space, classifier(settings.space), facts.canvas))
    groups = [[f"backbone.stages.{i}.blocks.{k}" for k in range(len(s.blocks))] for i, s in enumerate(space.backbone.stages)]
    return Networks(
        space=space,
        build=detector,
        baseline=uniform_arch(space, 0),
        costs=costs,
        order=[group[i : i + 2] for group in groups for i in range(0, len(group), 2)],
        price=costs.price,
    )


def phases(task: DetectionTask, kind: Kind) -> list[Phase]:
    """See `detection.detnas.phases`."""
    from detection.detnas.phases import phases

    return list(phases(task, kind))


def build(description: Any) -> nn.Module:
    """See `detection.detnas.model.build`."""
    from detection.detnas.model import build

    return build(description)


def space_named(name: str) -> Any:
    """A space for the laws: the classifier of a size, or the detector of the smoke recipe."""
    if name == TINY:
        return DetectorNet(backbone=classifier("tiny").backbone, head=SMALL_RETINANET, classes=5)
    return classifier(name)


def example(space: str) -> tuple[Tensor, ...]:
    """Inputs small enough for tests."""
    import torch

    return (torch.zeros(2, 3, 64, 64, dtype=torch.uint8 if space == TINY else torch.float32),)


def published() -> Mapping[str, PublishedNetwork]:
    """The released architectures, as classifiers."""

    def entry(name: str) -> PublishedNetwork:
        params, macs = COUNTS.get(name, (None, None))
        space, arch = published_classifier(name)
        return PublishedNetwork(description=lambda: space, arch=lambda: arch, params=params, macs=macs)

    return {name: entry(name) for name in PUBLISHED}


def describe(options: Describing) -> dict[str, Any]:
    """Counts of an architecture under the convention of the paper's tables, and of the detector with it."""
    import torch

    from common.describe import counted
    from detection.detnas.names import read_arch
    from detection.detnas.space import genes_of

    name, net, arch = read_arch(options.arch, options.space)
    whole = decode(net, arch)
    tiny = name == "tiny"
    detector = DetectorNet(
        backbone=whole.backbone, head=SMALL_RETINANET if tiny else PAPER_FASTER_RCNN, classes=5 if tiny else 80
    )
    size = (64, 64) if tiny else (800, 1344)
    full = counted(lambda: build(whole), lambda: (torch.empty(1, 3, 224, 224),))
    inner = counted(lambda: build(whole.backbone), lambda: (torch.empty(1, 3, 224, 224),))
    found = counted(lambda: build(detector), lambda: (torch.empty(1, 3, *size, dtype=torch.uint8),))
    # The official code regresses boxes for the background class too: 4 more outputs of its last linear layer.
    official = {} if tiny else {"params_official": found.params + 4 * (PAPER_FASTER_RCNN.box_features + 1)}
    return {
        "system": "detnas",
        "arch": options.arch,
        "space": name,
        "genes": " ".join(str(gene) for gene in genes_of(arch)),
        "convention": CONVENTION,
        "params": full.params,
        "macs": full.macs,
        "params_backbone": inner.params,
        "macs_backbone": inner.macs,
        "detector": {
            "head": type(detector.head).__name__,
            "classes": detector.classes,
            "image": list(size),
            "params": found.params,
            "macs": found.macs,
            **official,
        },
        "description": asdict(whole),
    }


def notes(settings: Settings) -> list[str]:
    """What a reader of the report must know."""
    return [
        "Costs: params and macs are those of the whole detector at the run's image size, macs_backbone and "
        "macs_classifier those of the backbone at 224x224, alone and with the ImageNet classifier (convolutions and linear "
        "layers).",
        "Candidates are compared on the validation split; retrained networks on the test split, which no training and no choice "
        "has read, unless the data has none of its own; see Data.",
    ]


SYSTEM = System(
    name="detnas",
    task=detection,
    settings=Settings,
    methods=(
        Method(
            name="detnas",
            title="DetNAS",
            paper="arXiv:1903.10979",
            authors="Chen et al., NeurIPS 2019",
            summary="search the backbone of a detector, from images to a report",
            recipes=RECIPES,
        ),
    ),
    networks=networks,
    phases=phases,
    notes=notes,
    build=build,
    spaces={name: partial(space_named, name) for name in (*SIZES, TINY)},
    example=example,
    published=published,
    describe=describe,
    options=Options,
    describing=Describing,
)
"""DetNAS."""
