"""Which maps a backbone of a configuration gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from common.errors import UserError, cut
from common.mm import scope
from detection.mm.setup import prepare

_SIDE = 256
"""Side of the image that maps are measured on, in pixels; every stride divides it."""


def maps_of(backbone: Mapping[str, Any]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Channels and strides of the maps of a backbone, found by running it on the meta device.

    Args:
        backbone: its entry in a configuration of mmdetection.

    Raises:
        KeyError: mmdetection knows no backbone of this type.
        UserError: the backbone cannot be run without data.
    """
    prepare()
    from mmdet.registry import MODELS

    image = torch.empty(1, 3, _SIDE, _SIDE, device="meta")
    with torch.random.fork_rng([]), torch.no_grad(), scope("mmdet"):
        net = MODELS.build(dict(backbone)).to("meta")  # not built there: a Swin transformer reads numbers while it is built
        net.eval()  # that of mmdetection's ResNet returns None
        try:
            maps = net(image)
        except Exception as error:  # a backbone that needs numbers fails in its own way
            raise UserError(
                f"in_channels: the maps of backbone {backbone.get('type')} cannot be found ({cut(str(error))}); give their "
                "channels as a list of numbers"
            ) from None
    return tuple(x.shape[1] for x in maps), tuple(_SIDE // x.shape[-1] for x in maps)
