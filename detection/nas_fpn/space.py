"""NAS-FPN's detectors: one backbone and one head, and a pyramid with open decisions (1904.07392, section 3)."""

from __future__ import annotations

from common.space import Arch
from detection.backbones.descriptions import SMALL_SHUFFLENET, Backbone, ResNet, Timm
from detection.description import DetectorNet
from detection.heads import RetinaNet
from detection.necks.merges import NASFPN, PUBLISHED
from detection.necks.settings import PyramidSettings
from detection.necks.wirings import arch_of


def backbone_named(name: str, weights: str | None = None) -> Backbone:
    """A backbone by its name in `detection.nas_fpn.settings`, with a file of weights to begin with."""
    kind, _, rest = name.partition(":")
    if kind == "timm":
        return Timm(name=rest, weights=weights)
    return SMALL_SHUFFLENET if name == "shufflenet-tiny" else ResNet(depth=int(name.removeprefix("resnet-")), weights=weights)


def space(backbone: str, pyramid: PyramidSettings, head: RetinaNet, classes: int, weights: str | None = None) -> DetectorNet:
    """The open detector: every wiring of the pyramid.

    Args:
        backbone: its name.
        pyramid: levels, cells and sizes.
        head: anchors, losses and post-processing.
        classes: of the data.
        weights: a file that the backbone begins with.
    """
    return DetectorNet(backbone=backbone_named(backbone, weights), neck=pyramid.neck(), head=pyramid.under(head), classes=classes)


def hand_made(net: DetectorNet) -> dict[str, Arch]:
    """Further hand-made architectures of an open detector: the published wiring, where the levels are its levels."""
    assert isinstance(net.neck, NASFPN)
    same = net.neck.wiring.levels == PUBLISHED.levels and len(net.neck.wiring.between) == len(PUBLISHED.between)
    return {"published": arch_of(net, PUBLISHED)} if same else {}
