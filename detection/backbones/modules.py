"""The module of a backbone's description."""

from __future__ import annotations

from detection.backbones.descriptions import Backbone, EfficientNet, ResNet, ShuffleNet, Timm
from detection.backbones.efficientnet import EfficientNetBackbone
from detection.backbones.foreign import TimmBackbone, load_backbone
from detection.backbones.resnet import ResNetBackbone
from detection.backbones.shufflenet import ShuffleNetBackbone


def backbone(net: Backbone, finest: int = 1) -> ShuffleNetBackbone | EfficientNetBackbone | ResNetBackbone | TimmBackbone:
    """The backbone of a description, open or settled; initial weights from torch's global generator, or published ones.

    Args:
        net: the description.
        finest: maps of a smaller stride are not returned.

    Raises:
        UserError: there is no such network, or its weights cannot be used.
    """
    match net:
        case ShuffleNet():
            return ShuffleNetBackbone(net, finest)
        case EfficientNet():
            return EfficientNetBackbone(net, finest)
        case ResNet():
            made = ResNetBackbone(net, finest)
            if net.weights is not None:
                load_backbone(made, net.weights, ("fc.weight", "fc.bias"))
            return made
        case Timm():
            made = TimmBackbone(net, finest)
            if net.weights is not None:
                made.load(net)
            return made
