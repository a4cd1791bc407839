"""DetNAS's search spaces and published architectures as data (paper section 3; widths from the official code).

A backbone is a chain of ShuffleNetV2-style blocks, one decision of four options each. Two spaces of this project's own,
`tiny-scaled` and `tiny-mobile`, have open depths and widths as well. The published tables count the ImageNet classifier at
224x224: convolution and linear MACs, parameters with affine BatchNorm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from common.errors import UserError
from common.space import Arch, OneOf, Repeat, decisions, record
from detection.backbones.descriptions import KINDS, MOBILE, ShuffleNet, Stage
from detection.description import DetectorNet
from detection.heads import WithPyramid
from detection.necks.merges import NASFPN
from detection.necks.settings import PyramidSettings
from detection.necks.wirings import choices, top_down


@dataclass(frozen=True, slots=True, kw_only=True)
class Classifier:
    """A backbone, a 1x1 convolution, average pooling and a linear layer: what is pre-trained and what the tables count."""

    backbone: ShuffleNet
    last: int = 1024
    """Channels of the 1x1 convolution before the pooling."""
    classes: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """A size of backbone, one of the paper's or of this project's own."""

    stem: int
    widths: tuple[int, ...]
    repeats: tuple[int, ...]
    """Blocks of each stage."""
    last: int = 1024
    inner: tuple[tuple[int, ...], ...] = ()
    """Options for the channels inside the blocks of each stage, the hand-made network's first. Empty: half of the width."""
    depths: tuple[tuple[int, ...], ...] = ()
    """Options for the number of blocks of each stage, the hand-made network's first. Empty: as in `repeats`."""
    trunk: tuple[tuple[int, ...], ...] = ()
    """Options for the output channels of each stage, the hand-made network's first. Empty: as in `widths`."""
    kinds: tuple[str, ...] = KINDS
    """Options of every block."""

    @property
    def genes(self) -> int:
        """How many blocks."""
        return sum(self.repeats)

    @property
    def scaled(self) -> bool:
        """Whether widths or depths are decisions. A gene string, which gives the kinds of blocks only, then gives too little."""
        return bool(self.inner or self.depths or self.trunk)

    def stages(self) -> tuple[Stage, ...]:
        """The open stages."""
        kind = OneOf(*self.kinds)
        return tuple(
            Stage(
                width=OneOf(*self.trunk[i]) if self.trunk else width,
                blocks=Repeat(kind, OneOf(*self.depths[i])) if self.depths else (kind,) * self.repeats[i],
                inner=OneOf(*self.inner[i]) if self.inner else None,
            )
            for i, width in enumerate(self.widths)
        )


SIZES = {
    "tiny": Size(stem=8, widths=(16, 32, 64), repeats=(2, 3, 3), last=128),
    "tiny-scaled": Size(
        stem=8,
        widths=(16, 32, 64),
        repeats=(2, 3, 3),
        last=128,
        inner=((8, 4, 16, 32), (16, 8, 32, 64), (32, 16, 64, 128)),
        depths=((2, 1, 3), (3, 1, 2, 4), (3, 1, 2, 4)),
    ),
    "tiny-mobile": Size(
        stem=8,
        widths=(8, 16, 32),
        repeats=(2, 2, 2),
        last=128,
        inner=((16, 8, 32), (32, 16, 64), (64, 32, 128)),
        depths=((2, 1, 3), (2, 1, 3), (2, 1, 3)),
        trunk=((8, 4, 16), (16, 8, 32), (32, 16, 64)),
        kinds=MOBILE,
    ),
    "300M": Size(stem=16, widths=(64, 160, 320, 640), repeats=(4, 4, 8, 4)),
    "1.3G": Size(stem=48, widths=(96, 240, 480, 960), repeats=(8, 8, 16, 8)),
    "3.8G": Size(stem=72, widths=(172, 432, 864, 1728), repeats=(8, 8, 16, 8), last=1728),
}
"""Name -> size. The sizes `tiny`, `tiny-scaled` and `tiny-mobile` are this project's own, for small images on a CPU. They end at
stride 16, where the small head ends. `tiny-scaled` is `tiny` with two more decisions per stage: the channels inside its blocks,
as in the channel search of SPOS (Guo et al. 2020, 1904.00420), and its number of blocks. The first options give the hand-made
network of `tiny`. `tiny-mobile` has inverted bottlenecks instead. Nothing splits their channels, so the widths of the maps are
decisions too.
"""


def backbone(size: str) -> ShuffleNet:
    """The open backbone of a size.

    Raises:
        UserError: there is no such size.
    """
    if size not in SIZES:
        raise UserError(f"space {size!r} does not exist; choose one of {', '.join(SIZES)}")
    return ShuffleNet(stem=SIZES[size].stem, stages=SIZES[size].stages())


def classifier(size: str, classes: int = 1000) -> Classifier:
    """The open classifier of a size, ImageNet's by default."""
    return Classifier(backbone=backbone(size), last=SIZES[size].last if size in SIZES else 1024, classes=classes)


def detector(size: str, head: WithPyramid, classes: int, pyramid: PyramidSettings | None = None) -> DetectorNet:
    """The open detector: a backbone of a size, under a head with its own pyramid, or with one that is searched as well."""
    if pyramid is None:
        return DetectorNet(backbone=backbone(size), head=head, classes=classes)
    return DetectorNet(backbone=backbone(size), neck=pyramid.neck(), head=pyramid.under(head), classes=classes)


def baseline(space: DetectorNet) -> Arch:
    """The hand-made detector: 3x3 shuffle blocks, and a pyramid in the manner of FPN where it is searched."""
    arch = uniform_arch(space, 0)
    if not isinstance(space.neck, NASFPN):
        return arch
    wiring = space.neck.wiring
    return Arch({**arch, **choices(space.neck, top_down(wiring.levels, len(wiring.between)))})


def uniform_arch(space: Any, kind: int) -> Arch:
    """The architecture with the same kind of block everywhere; open widths and depths take their first option."""
    return record(space, lambda _, decision: kind if decision.labels == KINDS else 0)


def arch_of_genes(space: Any, genes: Sequence[int]) -> Arch:
    """The architecture of a gene tuple, in depth order.

    Raises:
        UserError: the wrong number of genes, one that is not 0, 1, 2 or 3, or a space with open widths or depths.
    """
    paths = list(decisions(space))
    if any(decision.labels != KINDS for decision in decisions(space).values()):
        raise UserError("genes name kinds of block alone, and this space has open widths and depths; give a file, arch.json")
    if len(genes) != len(paths):
        raise UserError(f"{len(genes)} genes for a space of {len(paths)} blocks; give one gene a block")
    for gene in genes:
        if gene not in range(len(KINDS)):
            raise UserError(f"gene {gene}: a block is one of 0 1 2 3 ({', '.join(KINDS)})")
    return Arch(dict(zip(paths, genes, strict=True)))


def genes_of(arch: Arch) -> tuple[int, ...]:
    """The gene tuple in depth order: the order in which a walk over the space, and so every drawn or read arch, has them."""
    return tuple(of_backbone(arch).values())


def of_backbone(arch: Arch) -> Arch:
    """The architecture without the decisions of a pyramid."""
    return Arch({path: option for path, option in arch.items() if not path.startswith("neck.")})


def parse_genes(text: str) -> tuple[int, ...]:
    """The paper's own notation: genes separated by spaces, with `|`, commas and brackets allowed.

    >>> parse_genes("2 1 | 2 0")
    (2, 1, 2, 0)
    """
    words = text.translate(str.maketrans("|,()[]", "      ")).split()
    if not words or not all(len(word) == 1 and word.isdecimal() for word in words):
        raise UserError(f"{text!r} is no gene string; write one gene of 0 1 2 3 a block, '2 1 2 0 2 1 ...'")
    return tuple(int(word) for word in words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A published architecture and where it was published."""

    space: str
    genes: str
    source: str
    last: int | None = None
    """Channels of the last 1x1 convolution where they differ from the space's."""


_OFFICIAL = "official code of DetNAS"
_LARGE = "0 0 3 1 2 1 0 2 | 0 3 1 2 3 3 2 0 | 2 1 1 3 2 0 2 2 2 1 3 1 0 3 3 3 | 1 3 3 3 3 3 3 3"

PUBLISHED = {
    "COCO_FPN_300M": Published(space="300M", genes="2 1 2 0 | 2 1 1 2 | 3 3 1 3 0 0 3 1 | 3 1 3 2", source=_OFFICIAL),
    "COCO_RetinaNet_300M": Published(space="300M", genes="2 3 1 1 | 3 2 1 3 | 3 1 1 1 3 3 2 0 | 3 3 3 3", source=_OFFICIAL),
    "VOC_FPN_300M": Published(space="300M", genes="2 1 0 3 | 1 3 0 3 | 2 0 1 1 3 3 3 3 | 3 3 3 1", source=_OFFICIAL),
    "VOC_RetinaNet_300M": Published(space="300M", genes="1 3 0 0 | 2 3 3 3 | 2 3 3 3 3 2 2 0 | 2 3 1 1", source=_OFFICIAL),
    "COCO_FPN_1.3G": Published(space="1.3G", genes=_LARGE, source=_OFFICIAL),
    "COCO_FPN_3.8G": Published(space="3.8G", genes=_LARGE, source=_OFFICIAL),
    "COCO_FPN_3.8G_last1024": Published(
        space="3.8G",
        genes=_LARGE,
        source="the 29.5M parameters of the official table hold for a last convolution of 1024",
        last=1024,
    ),
    "COCO_FPN_300M_second": Published(
        space="300M", genes="0 0 0 1 | 2 0 3 3 | 1 2 2 2 3 3 3 1 | 3 2 3 2", source="commented out in the official code"
    ),
    "mmrazor_DetNAS_300M": Published(space="300M", genes="1 0 0 0 | 3 0 3 2 | 2 2 3 3 0 2 1 3 | 2 2 2 1", source="mmrazor"),
    "mmrazor_SPOS": Published(
        space="300M", genes="2 0 2 0 | 3 1 1 0 | 0 1 0 1 0 3 1 2 | 2 0 1 3", source="mmrazor: searched on classification"
    ),
    "ShuffleNetV2_20": Published(space="300M", genes="0 " * 20, source="the hand-made baseline: 3x3 shuffle blocks"),
    "ShuffleNetV2_40": Published(space="1.3G", genes="0 " * 40, source="the hand-made baseline: 3x3 shuffle blocks"),
}
"""Name -> architecture (DetNAS's release, its re-implementation in mmrazor, and the hand-made baselines of the paper)."""


COUNTS = {
    "COCO_FPN_300M": (3_533_112, 321_219_008),
    "COCO_RetinaNet_300M": (3_725_320, 324_342_464),
    "VOC_FPN_300M": (3_651_128, 349_524_544),
    "COCO_FPN_3.8G": (31_444_596, 4_085_874_080),
    "ShuffleNetV2_20": (3_156_920, 295_842_496),
}
"""Published parameters and MACs, as classifiers."""


def published_classifier(name: str) -> tuple[Classifier, Arch]:
    """The open classifier and the arch of a published name."""
    entry = PUBLISHED[name]
    space = classifier(entry.space)
    if entry.last is not None:
        space = replace(space, last=entry.last)
    return space, arch_of_genes(space, parse_genes(entry.genes))


def space_for(genes: int) -> str:
    """The size of space that a gene string of this length belongs to.

    Raises:
        UserError: no space has that many blocks, or two have.
    """
    blocks = {name: size.genes for name, size in SIZES.items() if not size.scaled}
    fitting = [name for name, count in blocks.items() if count == genes]
    if len(fitting) > 1:
        raise UserError(f"spaces {' and '.join(fitting)} have {genes} blocks; name one: --space {fitting[0]}")
    if fitting:
        return fitting[0]
    known = ", ".join(f"{name} {count}" for name, count in blocks.items())
    raise UserError(f"no space has {genes} blocks (blocks of each: {known}); correct the gene string or give --space")
