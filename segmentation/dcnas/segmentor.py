"""DCNAS's networks with their decode head."""

from __future__ import annotations

import torch

from common.streams import derive
from segmentation import mm
from segmentation.dcnas.model import build
from segmentation.dcnas.space import Network, standalone
from segmentation.heads import DecodeHead
from segmentation.mm import Segmentor


def segmentor(net: Network, head: DecodeHead, classes: int, seed: int = 0) -> Segmentor:
    """The segmentor of a description: of an open one the supernet, of a settled one the network that is trained at last.

    Convolutions are in channels-last order, which is faster on a CPU.

    Args:
        net: the description. A settled one is built without orphans, its operators on all channels.
        head: what is put on it.
        classes: how many classes.
        seed: of the initial weights.

    Raises:
        UserError: as `build`, and fewer than two classes.
    """
    settled = all(isinstance(cell.op, str) for cell in net.cells.values())
    backbone = build(standalone(net) if settled else net, seed)
    made = mm.build(backbone, head, in_channels=backbone.channels, classes=classes, seed=derive(seed, "head"))
    return made.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
