"""timm's networks as backbones, and published weights of backbones."""

from __future__ import annotations

import importlib.util
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from common.errors import UserError, cut
from common.extras import missing_packages
from common.foreign_weights import load_strictly, read_state
from detection.backbones.descriptions import Timm


class TimmBackbone(nn.Module):
    """A network of timm, as far as its maps of stride 4 and more.

    Attributes:
        channels: of the maps returned.
        strides: of the maps returned.
    """

    def __init__(self, net: Timm, finest: int = 4) -> None:
        """Makes the network; maps of a smaller stride than `finest` are not returned.

        Raises:
            UserError: timm is not installed, has no such network, or cannot give its maps.
        """
        super().__init__()
        if importlib.util.find_spec("timm") is None:
            raise missing_packages("timm", ["timm"])
        import timm

        try:
            self.net: Any = timm.create_model(net.name, features_only=True)
        except Exception as error:  # timm has RuntimeError, ValueError and AssertionError for what it lacks
            raise UserError(
                f"timm has no backbone {net.name!r} ({cut(str(error))}); give one of timm.list_models(), tf_efficientnet_b0 say"
            ) from None
        strides = self.net.feature_info.reduction()
        self._kept = [i for i, stride in enumerate(strides) if stride >= max(4, finest)]
        self.channels = tuple(self.net.feature_info.channels()[i] for i in self._kept)
        self.strides = tuple(strides[i] for i in self._kept)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Normalised images (n, 3, h, w) -> maps."""
        maps = self.net(x)
        return tuple(maps[i] for i in self._kept)

    def load(self, net: Timm) -> None:
        """Takes timm's weights from the file that `net` names; what the maps do without, a classifier say, is left out.

        Raises:
            UserError: the file cannot be read, or is of another network.
        """
        import timm

        with torch.device("meta"):
            whole = timm.create_model(net.name).state_dict()
        assert net.weights is not None
        load_backbone(self.net, net.weights, [name for name in whole if name not in self.net.state_dict()])


def load_backbone(module: nn.Module, file: str, beyond: Collection[str]) -> None:
    """Gives a backbone published weights; on the meta device there is nothing to give.

    Args:
        module: whose names are those of the publisher.
        file: weights of the whole network, with or without its classifier.
        beyond: what of them the backbone does without.

    Raises:
        UserError: the file cannot be read, or is of another network.
    """
    if next(module.parameters()).is_meta:
        return
    load_strictly(module, read_state(Path(file), "give the weights of this backbone"), file, "this backbone", beyond)
