"""torchvision's ResNet as a backbone. Its parts have torchvision's names: published weights load, `fc` apart."""

from __future__ import annotations

from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck
from torchvision.models.resnet import ResNet as Whole

from common.errors import UserError
from detection.backbones.descriptions import ResNet

LAYERS = {10: (1, 1, 1, 1), 18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
"""Depth -> blocks of the four stages."""


class ResNetBackbone(nn.Module):
    """The backbone of a description.

    Attributes:
        channels: of the maps returned.
        strides: of the maps returned.
    """

    def __init__(self, net: ResNet, finest: int = 4) -> None:
        """Makes the backbone; maps of a smaller stride than `finest` are not returned.

        Raises:
            UserError: there is no ResNet of this depth.
        """
        super().__init__()
        if net.depth not in LAYERS:
            raise UserError(f"ResNet-{net.depth} does not exist; choose one of {', '.join(map(str, LAYERS))}")
        block = Bottleneck if net.depth >= 50 else BasicBlock
        whole = Whole(block, list(LAYERS[net.depth]))
        self.conv1, self.bn1, self.relu, self.maxpool = whole.conv1, whole.bn1, whole.relu, whole.maxpool
        self.layer1, self.layer2, self.layer3, self.layer4 = whole.layer1, whole.layer2, whole.layer3, whole.layer4
        returned = [i for i in range(4) if 4 * 2**i >= finest]
        self._first = len(range(4)) - len(returned)
        self.channels = tuple(64 * 2**i * block.expansion for i in returned)
        self.strides = tuple(4 * 2**i for i in returned)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """The maps of the stages whose stride is `finest` at least."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        maps = []
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
            maps.append(x)
        return tuple(maps[self._first :])
