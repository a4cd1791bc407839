"""The module of a backbone's description."""

from __future__ import annotations

from detection.backbones.descriptions import Backbone, ShuffleNet
from detection.backbones.efficientnet import EfficientNetBackbone
from detection.backbones.shufflenet import ShuffleNetBackbone


def backbone(net: Backbone, finest: int = 1) -> ShuffleNetBackbone | EfficientNetBackbone:
    """The backbone of a description, open or settled; initial weights from torch's global generator.

    Args:
        net: the description.
        finest: maps of a smaller stride are not returned.
    """
    return ShuffleNetBackbone(net, finest) if isinstance(net, ShuffleNet) else EfficientNetBackbone(net, finest)
