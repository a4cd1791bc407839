"""EfficientDet's scaled family as a space, and its published members (Tan et al., 1911.09070, section 4, table 1).

The paper scales everything by one number, and found the rates of scaling by hand. Here each of the scaled sizes is a decision:
given a budget of multiply-adds, which resolution, width, depth and number of layers? The published networks are values of the
space.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from common.errors import UserError
from common.space import Arch, OneOf, decisions
from detection.backbones.descriptions import B0, SMALL_EFFICIENTNET, scaled
from detection.description import DetectorNet
from detection.heads import EfficientHead
from detection.necks.layered import BiFPN, BiFPNLayer


@dataclass(frozen=True, slots=True, kw_only=True)
class EfficientDetNet:
    """A member of the family, or the family with open decisions."""

    width: Any
    """Channels of the backbone, as a multiple of the base's."""
    depth: Any
    """Blocks of the backbone, as a multiple of the base's."""
    channels: Any
    """Channels of the pyramid and of the class and box nets."""
    layers: Any
    """BiFPN layers."""
    convs: Any
    """Convolutions of the class and box nets before the last."""
    side: Any
    """Long side that images are resized to, in pixels."""
    fusion: Any
    """How BiFPN's nodes add their inputs: fast, softmax or sum."""
    top: Any = 7
    """Last level of the pyramid, which begins at 3."""
    base: str = "b0"
    """The backbone that is scaled: b0 or tiny."""
    classes: int = 90
    """Of the data; COCO's numbers reach to 90."""
    head: EfficientHead
    """Anchors, losses and post-processing; its strides, width and depth are those above."""


BASES = {"b0": B0, "tiny": SMALL_EFFICIENTNET}


FAMILIES = ("tiny", "small", "paper")


def family(name: str, classes: int = 90, head: EfficientHead | None = None) -> EfficientDetNet:
    """The open description of a family.

    Args:
        name: `paper` (the sizes of D0 to D7x), or one of this project's own for a CPU: `tiny` for images of 64 pixels, `small`
            for images of 208.
        classes: of the data.
        head: anchors, losses and post-processing; the paper's by default.

    Raises:
        UserError: there is no such family.
    """
    head = head or EfficientHead()
    fusion = OneOf("fast", "softmax", "sum")
    tiny = EfficientDetNet(
        width=OneOf(1.0, 1.5, 2.0),
        depth=OneOf(1.0, 2.0, 3.0),
        channels=OneOf(16, 24, 32),
        layers=OneOf(1, 2, 3),
        convs=OneOf(1, 2),
        side=OneOf(48, 64, 80),
        fusion=fusion,
        top=4,
        base="tiny",
        classes=classes,
        head=head,
    )
    match name:
        case "tiny":
            return tiny
        case "small":
            return replace(tiny, channels=OneOf(24, 32, 48), side=OneOf(128, 160, 208), top=5)
        case "paper":
            return EfficientDetNet(
                width=OneOf(1.0, 1.1, 1.2, 1.4, 1.6, 1.8, 2.0),
                depth=OneOf(1.0, 1.1, 1.2, 1.4, 1.8, 2.2, 2.6, 3.1),
                channels=OneOf(64, 88, 112, 160, 224, 288, 384),
                layers=OneOf(3, 4, 5, 6, 7, 8),
                convs=OneOf(3, 4, 5),
                side=OneOf(512, 640, 768, 896, 1024, 1280, 1536),
                fusion=fusion,
                top=OneOf(7, 8),
                classes=classes,
                head=head,
            )
        case _:
            raise UserError(f"family {name!r} does not exist; choose one of {', '.join(FAMILIES)}")


def detector(net: EfficientDetNet) -> DetectorNet:
    """The detector of a settled member."""
    levels = tuple(range(3, net.top + 1))
    strides = tuple(2**level for level in levels)
    return DetectorNet(
        backbone=scaled(BASES[net.base], net.width, net.depth),
        neck=BiFPN(width=net.channels, levels=levels, layers=(BiFPNLayer(fusion=net.fusion),) * net.layers),
        head=replace(net.head, strides=strides, neck_channels=net.channels, depth=net.convs),
        classes=net.classes,
        momentum=0.1 if net.base == "tiny" else None,
        side=net.side,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A row of the paper's table 1, with the parameters of the official test."""

    sizes: tuple[float, float, int, int, int, int, str, int]
    """Width, depth, channels, layers, convs, side, fusion, top."""
    params: int | None
    anchor_scale: float = 4.0
    """Side of the smallest anchor in strides."""


PUBLISHED = {
    "D0": Published(sizes=(1.0, 1.0, 64, 3, 3, 512, "fast", 7), params=3_880_067),
    "D1": Published(sizes=(1.0, 1.1, 88, 4, 3, 640, "fast", 7), params=6_625_898),
    "D2": Published(sizes=(1.1, 1.2, 112, 5, 3, 768, "fast", 7), params=8_097_039),
    "D3": Published(sizes=(1.2, 1.4, 160, 6, 4, 896, "fast", 7), params=12_032_296),
    "D4": Published(sizes=(1.4, 1.8, 224, 7, 4, 1024, "fast", 7), params=20_723_675),
    "D5": Published(sizes=(1.6, 2.2, 288, 7, 4, 1280, "fast", 7), params=None),
    "D6": Published(sizes=(1.8, 2.6, 384, 8, 5, 1280, "sum", 7), params=51_871_782),
    "D7": Published(sizes=(1.8, 2.6, 384, 8, 5, 1536, "sum", 7), params=51_871_782, anchor_scale=5.0),
    "D7x": Published(sizes=(2.0, 3.1, 384, 8, 5, 1536, "sum", 8), params=None),
}
"""Name -> member. Anchors belong to the head, which is the same for all members of a run; `weights.load` gives each its own."""


def published(name: str) -> Arch:
    """The architecture of a published member, in the family `paper`."""
    sizes = zip(decisions(family("paper")).items(), PUBLISHED[name].sizes, strict=True)
    return Arch({path: decision.options.index(size) for (path, decision), size in sizes})


def smallest(space: EfficientDetNet) -> Arch:
    """The member of all first options: the smallest, and the base of the scaling."""
    return Arch(dict.fromkeys(decisions(space), 0))


def compound(space: EfficientDetNet) -> dict[str, Arch]:
    """Members whose sizes grow together, as in the paper, by the number of the step: those after the smallest.

    In the family `paper` they are D1 to D7x. In another family step i has option i of every size, as far as there are so many.
    """
    if space.base == "b0":
        return {name: published(name) for name in PUBLISHED if name != "D0"}
    sizes = {path: len(decision) for path, decision in decisions(space).items()}
    sizes["fusion"] = 1  # no size
    return {
        f"compound {step}": Arch({path: min(step, n - 1) for path, n in sizes.items()}) for step in range(1, max(sizes.values()))
    }
