"""The module of a backbone's description."""

from __future__ import annotations

from detection.backbones.descriptions import Backbone, EfficientNet, ResNet, ShuffleNet
from detection.backbones.efficientnet import EfficientNetBackbone
from detection.backbones.resnet import ResNetBackbone
from detection.backbones.shufflenet import ShuffleNetBackbone


def backbone(net: Backbone, finest: int = 1) -> ShuffleNetBackbone | EfficientNetBackbone | ResNetBackbone:
    """The backbone of a description, open or settled; initial weights from torch's global generator.

    Args:
        net: the description.
        finest: maps of a smaller stride are not returned.
    """
    match net:
        case ShuffleNet():
            return ShuffleNetBackbone(net, finest)
        case EfficientNet():
            return EfficientNetBackbone(net, finest)
        case ResNet():
            return ResNetBackbone(net, finest)
