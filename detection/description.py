"""A detector as plain data: any backbone, neck and head of the package. No torch here; `detection.build` makes the module."""

from __future__ import annotations

from dataclasses import dataclass

from detection.backbones.descriptions import Backbone
from detection.heads import Head
from detection.necks.layered import BiFPN
from detection.necks.merges import NASFPN

Neck = BiFPN | NASFPN


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorNet:
    """A backbone, a neck on its last maps, and a head on the neck's; each may have open decisions."""

    backbone: Backbone
    head: Head
    classes: int
    neck: Neck | None = None
    """None: the head's own feature pyramid."""
    momentum: float | None = None
    """Share of a batch in the running statistics of every BatchNorm, large in short trainings; None: as the parts have it."""
    side: int | None = None
    """Images are resized to this long side, in pixels, before the backbone sees them; boxes are in pixels of the images as they
    come. None: images are taken as they are."""
